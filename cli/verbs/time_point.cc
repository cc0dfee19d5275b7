#include "cli/verbs/time_point.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include <fmt/format.h>

#include "base/options.h"

namespace cairn::cli {
namespace {

// strptime(3) reads "+01:00" and "Z" with %z.
bool reads_as(const std::string& text, const char* form, tm& fields) {
  fields = {};
  const char* end = ::strptime(text.c_str(), form, &fields);
  return end != nullptr && *end == '\0';
}

}  // namespace

Result<int64_t> parse_time_point(const std::string& text, int64_t now_s) {
  if (const Result<std::chrono::seconds> ago = parse_duration(text)) return now_s - ago->count();
  tm fields{};
  for (const char* form : {"%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d"}) {
    if (!reads_as(text, form, fields)) continue;
    const int64_t offset_s = fields.tm_gmtoff;  // timegm clears it
    return static_cast<int64_t>(::timegm(&fields)) - offset_s;
  }
  return fail(Errc::kInvalid,
              fmt::format("\"{}\" is no time; write for example 90m, 7d, 2026-11-20 or 2026-11-20T22:25:06Z", text));
}

Result<uint64_t> parse_position(const std::string& text) {
  constexpr uint64_t kNsPerS = 1'000'000'000;
  constexpr uint64_t kMostS = uint64_t{365} * 86'400;
  if (text.empty()) return 0;
  if (text.find_first_not_of("0123456789:.") != std::string::npos) {
    const Result<std::chrono::seconds> duration = parse_duration(text);
    if (!duration) return fail(Errc::kInvalid, fmt::format("\"{}\" is no time like 90, 1:30 or 5m", text));
    return static_cast<uint64_t>(duration->count()) * kNsPerS;
  }
  const size_t point = std::min(text.find('.'), text.size());
  uint64_t seconds = 0;
  uint64_t part = 0;
  for (const char c : text.substr(0, point) + ":") {
    if (c != ':') {
      part = std::min(part * 10 + static_cast<uint64_t>(c - '0'), kMostS);
      continue;
    }
    seconds = std::min(seconds * 60 + std::exchange(part, 0), kMostS);
  }
  uint64_t fraction_ns = 0;
  uint64_t unit_ns = kNsPerS;
  for (const char c : text.substr(std::min(point + 1, text.size()))) {
    if (c < '0' || c > '9') return fail(Errc::kInvalid, fmt::format("\"{}\" is no time like 90, 1:30 or 5m", text));
    fraction_ns += static_cast<uint64_t>(c - '0') * (unit_ns /= 10);
  }
  return seconds * kNsPerS + fraction_ns;
}

}  // namespace cairn::cli
