#include "auth/access/throttle.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace cairn::auth {
namespace {

constexpr size_t kMaxNames = 10'000;

Failure wait(double permits, double per_second) {
  const double seconds = std::ceil((1 - permits) / per_second);
  return fail(Errc::kDenied, fmt::format("too many failed attempts; try again in {:.0f} s", std::max(seconds, 1.0)));
}

}  // namespace

Throttle::Throttle(const Clock* clock, ThrottleLimits each, ThrottleLimits all)
    : clock_(clock), each_limits_(each), all_limits_(all), all_{all.burst, clock->boot_ns()} {}

void Throttle::fill(Bucket& bucket, const ThrottleLimits& limits, uint64_t now_boot_ns) {
  const double seconds = static_cast<double>(now_boot_ns - bucket.filled_boot_ns) / 1e9;
  bucket.permits = std::min(limits.burst, bucket.permits + seconds * limits.per_second);
  bucket.filled_boot_ns = now_boot_ns;
}

// Whose bucket is full again is as good as new.
void Throttle::forget_full(uint64_t now_boot_ns) {
  for (auto it = each_.begin(); it != each_.end();) {
    fill(it->second, each_limits_, now_boot_ns);
    it = it->second.permits >= each_limits_.burst ? each_.erase(it) : std::next(it);
  }
}

Result<void> Throttle::admit(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const uint64_t now = clock_->boot_ns();
  fill(all_, all_limits_, now);
  if (all_.permits < 1) return wait(all_.permits, all_limits_.per_second);
  if (each_.size() >= kMaxNames) forget_full(now);
  // So many names at once that none is forgotten: an attack, which the common bucket bounds.
  if (each_.size() >= kMaxNames) each_.erase(each_.begin());
  Bucket& own = each_.try_emplace(name, Bucket{each_limits_.burst, now}).first->second;
  fill(own, each_limits_, now);
  if (own.permits < 1) return wait(own.permits, each_limits_.per_second);
  own.permits -= 1;
  all_.permits -= 1;
  return {};
}

void Throttle::succeeded(const std::string& name) {
  const std::lock_guard lock(mutex_);
  each_.erase(name);
  all_.permits = std::min(all_limits_.burst, all_.permits + 1);
}

}  // namespace cairn::auth
