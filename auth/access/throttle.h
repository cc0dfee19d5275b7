#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace cairn::auth {

// How many failures are borne before answers are withheld: a bucket of permits that fills again with time.
struct ThrottleLimits {
  double burst = 0;
  double per_second = 0;
};

// Holds back who fails too often: per name, and all together, since names are free to guess. It counts failures alone,
// so nobody who knows their password feels it, except under attack on their own name. Thread-safe.
class Throttle {
 public:
  Throttle(const Clock* clock, ThrottleLimits each, ThrottleLimits all);

  // Asks before the attempt, and takes a permit, which succeeded() gives back.
  //   fails  kDenied: "too many failed attempts; try again in 12 s"
  Result<void> admit(const std::string& name);
  void succeeded(const std::string& name);

 private:
  struct Bucket {
    double permits;
    uint64_t filled_boot_ns;
  };
  static void fill(Bucket& bucket, const ThrottleLimits& limits, uint64_t now_boot_ns);
  void forget_full(uint64_t now_boot_ns);

  const Clock* clock_;
  ThrottleLimits each_limits_;
  ThrottleLimits all_limits_;
  std::mutex mutex_;
  std::map<std::string, Bucket> each_;
  Bucket all_;
};

}  // namespace cairn::auth
