#include "recorder/reorder_window.h"

#include <algorithm>
#include <utility>

namespace cairn::recorder {
namespace {

// What a message takes besides its contents, roughly: the event, its kind, a process, a path and their strings.
constexpr size_t kOverheadBytes = 512;

}  // namespace

bool ReorderWindow::leaves_later(const Waiting& a, const Waiting& b) {
  return a.boot_ns != b.boot_ns ? a.boot_ns > b.boot_ns : a.arrival > b.arrival;
}

void ReorderWindow::add(Event event) {
  const size_t bytes = event.ByteSizeLong() + kOverheadBytes;
  const uint64_t boot_ns = event.boot_ns();
  heap_.push_back(
      {.boot_ns = boot_ns, .arrival = arrivals_++, .bytes = bytes, .event = std::make_unique<Event>(std::move(event))});
  std::ranges::push_heap(heap_, leaves_later);
  bytes_ += bytes;
}

std::optional<Event> ReorderWindow::take_until(uint64_t boot_ns) {
  if (heap_.empty() || heap_.front().boot_ns > boot_ns) return std::nullopt;
  std::ranges::pop_heap(heap_, leaves_later);
  Waiting earliest = std::move(heap_.back());
  heap_.pop_back();
  bytes_ -= earliest.bytes;
  return std::move(*earliest.event);
}

}  // namespace cairn::recorder
