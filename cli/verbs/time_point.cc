#include "cli/verbs/time_point.h"

#include <ctime>

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

}  // namespace cairn::cli
