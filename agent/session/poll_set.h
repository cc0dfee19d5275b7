#pragma once

#include <poll.h>

#include <cstddef>
#include <vector>

namespace cairn::agent {

// Descriptors for one poll(2), gathered anew for each turn of a loop.
class PollSet {
 public:
  using Slot = size_t;
  static constexpr Slot kNone = static_cast<Slot>(-1);

  void clear() { waits_.clear(); }
  // `fd` is borrowed until the next clear(). With no event wanted nothing is added: poll would report hang-ups that
  // nobody consumes, over and over.
  Slot add(int fd, short events) {
    if (fd < 0 || events == 0) return kNone;
    waits_.push_back({.fd = fd, .events = events, .revents = 0});
    return waits_.size() - 1;
  }
  // Events that have come, hang-ups and errors included; 0 for kNone.
  short ready(Slot slot) const { return slot < waits_.size() ? waits_[slot].revents : short{0}; }

  // poll(2). Interrupted by a signal it reports nothing.
  void wait(int timeout_ms) {
    if (::poll(waits_.data(), waits_.size(), timeout_ms) >= 0) return;
    for (struct pollfd& wait : waits_) wait.revents = 0;
  }

 private:
  std::vector<struct pollfd> waits_;
};

}  // namespace cairn::agent
