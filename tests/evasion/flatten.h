#pragma once

#include <map>
#include <string>

#include "proto/recording.pb.h"

namespace cairn::evasion {

// An event in the words of the corpus (README.md): a key may come several times.
using Flat = std::multimap<std::string, std::string>;

Flat flatten(const recording::v1::Event& event);

}  // namespace cairn::evasion
