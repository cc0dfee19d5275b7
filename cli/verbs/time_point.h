#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace cairn::cli {

// A moment as people write it, in seconds since the epoch: "90m" (that long before `now_s`), "2026-11-20" (midnight
// UTC), "2026-11-20T22:25:06Z" or with an offset (RFC 3339).
Result<int64_t> parse_time_point(const std::string& text, int64_t now_s);

}  // namespace cairn::cli
