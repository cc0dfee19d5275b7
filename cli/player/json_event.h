#pragma once

#include <nlohmann/json.hpp>

#include "proto/recording.pb.h"

namespace cairn::cli {

// One event as JSON: the fields of proto/recording.proto under their names; what is 0, false or empty is left out, and
// IP addresses are text. docs/cli.md shows each kind.
nlohmann::ordered_json event_to_json(const recording::v1::Event& event);

}  // namespace cairn::cli
