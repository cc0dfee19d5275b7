#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace cairn::cli {

// A moment as people write it, in seconds since the epoch: "90m" (that long before `now_s`), "2026-11-20" (midnight
// UTC), "2026-11-20T22:25:06Z" or with an offset (RFC 3339).
Result<int64_t> parse_time_point(const std::string& text, int64_t now_s);

// A moment of a recording, in nanoseconds since its beginning: "90", "1:30", "1:02:03.5" or "90s", "5m", "1h". Empty:
// 0.
Result<uint64_t> parse_position(const std::string& text);

}  // namespace cairn::cli
