#pragma once

#include <chrono>
#include <cstdint>

namespace cairn::agent {

// A limit of bytes per second, by waiting after what was sent: the average holds, and what comes next is chosen only
// when it may go.
class Pace {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  explicit Pace(uint64_t bytes_per_s) : bytes_per_s_(bytes_per_s) {}  // 0: no limit

  void spend(uint64_t bytes, Instant now);
  // When the next may be sent.
  Instant free_at() const { return free_at_; }

 private:
  uint64_t bytes_per_s_;
  Instant free_at_ = {};
};

}  // namespace cairn::agent
