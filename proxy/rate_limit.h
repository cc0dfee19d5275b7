#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

namespace cairn::proxy {

// Keeps strangers from filling the log: at most `burst` lines per `period`. One thread.
class RateLimit {
 public:
  RateLimit(uint32_t burst, std::chrono::milliseconds period) : burst_(burst), period_(period) {}

  bool may_speak() {
    const auto now = std::chrono::steady_clock::now();
    if (now >= period_end_) {
      period_end_ = now + period_;
      said_ = 0;
    }
    if (said_ >= burst_) {
      ++unsaid_;
      return false;
    }
    ++said_;
    return true;
  }
  // How many were not said since the last call.
  uint64_t take_unsaid() { return std::exchange(unsaid_, 0); }

 private:
  uint32_t burst_;
  std::chrono::milliseconds period_;
  std::chrono::steady_clock::time_point period_end_{};
  uint32_t said_ = 0;
  uint64_t unsaid_ = 0;
};

}  // namespace cairn::proxy
