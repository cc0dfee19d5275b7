#include "base/clock.h"

#include <ctime>

namespace cairn {
namespace {

int64_t read_ns(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

uint64_t SystemClock::boot_ns() const { return static_cast<uint64_t>(read_ns(CLOCK_BOOTTIME)); }
int64_t SystemClock::wall_ns() const { return read_ns(CLOCK_REALTIME); }
uint64_t SystemClock::mono_ns() const { return static_cast<uint64_t>(read_ns(CLOCK_MONOTONIC)); }

std::string format_utc(int64_t wall_s) {
  const time_t seconds = wall_s;
  tm broken{};
  if (::gmtime_r(&seconds, &broken) == nullptr) return "(time out of range)";
  char text[40];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &broken)};
}

}  // namespace cairn
