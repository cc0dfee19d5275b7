#pragma once

#include <algorithm>
#include <cstdint>

namespace cairn::recorder {

// Times of a page: whole milliseconds since the recording's beginning, never backwards for what is shown in order.
class PageClock {
 public:
  explicit PageClock(uint64_t begin_boot_ns = 0) : begin_boot_ns_(begin_boot_ns) {}

  uint64_t ms_of(uint64_t boot_ns) const { return (boot_ns - std::min(boot_ns, begin_boot_ns_)) / kNsPerMs; }
  uint64_t next_ms(uint64_t boot_ns) { return last_ms_ = std::max(last_ms_, ms_of(boot_ns)); }
  uint64_t last_ms() const { return last_ms_; }

 private:
  static constexpr uint64_t kNsPerMs = 1'000'000;
  uint64_t begin_boot_ns_;
  uint64_t last_ms_ = 0;
};

}  // namespace cairn::recorder
