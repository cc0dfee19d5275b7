#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "recorder/chunk.h"

namespace cairn::recorder {

// Sorts events of several sources by boot_ns: what is in here may still be overtaken. Equal times leave in the order in
// which they came.
class ReorderWindow {
 public:
  static constexpr uint64_t kSpanNs = 100'000'000;
  static constexpr size_t kMaxBytes = 1024 * 1024;

  void add(Event event);

  // The earliest event if its time is at most `boot_ns`.
  std::optional<Event> take_until(uint64_t boot_ns);

  bool is_too_full() const { return bytes_ > kMaxBytes; }
  bool empty() const { return heap_.empty(); }

 private:
  struct Waiting {
    uint64_t boot_ns;
    uint64_t arrival;
    size_t bytes;
    std::unique_ptr<Event> event;  // not by value: a heap moves its elements about, and to move an Event is to swap two
  };
  static bool leaves_later(const Waiting& a, const Waiting& b);

  std::vector<Waiting> heap_;
  uint64_t arrivals_ = 0;
  size_t bytes_ = 0;
};

}  // namespace cairn::recorder
