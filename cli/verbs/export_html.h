#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/player/recording_source.h"
#include "cli/verbs/context.h"

namespace cairn::cli {

// A recording as one HTML file that plays it, with what verifying it has shown at this moment.
//   trust    file of public keys to believe; empty: as trust_of()
//   channel  of the session; none: the first terminal
//   fails    kTooLarge: no browser would hold it; kDenied: it is encrypted, and no key is at hand
Result<std::string> html_of(const Context& context, RecordingSource& source, const std::string& trust,
                            std::optional<uint32_t> channel);

}  // namespace cairn::cli
