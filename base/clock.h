#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace cairn {

// The time, passed in so that a test can turn it. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // CLOCK_BOOTTIME in nanoseconds: the order of everything in a recording; the kernel's bpf_ktime_get_boot_ns reads the
  // same clock.
  virtual uint64_t boot_ns() const = 0;
  // CLOCK_REALTIME in nanoseconds since the epoch: for people, certificates and token expiry. May step.
  virtual int64_t wall_ns() const = 0;
  // CLOCK_MONOTONIC in nanoseconds: like boot_ns, but stands still while the host sleeps.
  virtual uint64_t mono_ns() const { return boot_ns(); }

  int64_t wall_s() const { return wall_ns() / 1'000'000'000; }
};

class SystemClock final : public Clock {
 public:
  uint64_t boot_ns() const override;
  int64_t wall_ns() const override;
  uint64_t mono_ns() const override;
};

// "2026-11-20T22:25:06Z" (RFC 3339, UTC, whole seconds).
std::string format_utc(int64_t wall_s);

}  // namespace cairn
