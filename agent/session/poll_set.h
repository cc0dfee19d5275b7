#pragma once

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

namespace cairn::agent {

// Descriptors for one poll(2), gathered anew for each turn of a loop.
class PollSet {
 public:
  using Slot = size_t;
  static constexpr Slot kNone = static_cast<Slot>(-1);

  void clear() {
    waits_.clear();
    most_.reset();
  }
  // Whatever wait() is told: there is something to do by then that no descriptor tells of.
  void wait_at_most(std::chrono::milliseconds limit) { most_ = most_ ? std::min(*most_, limit) : limit; }
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
    const int most_ms = most_ ? static_cast<int>(most_->count()) : timeout_ms;
    if (::poll(waits_.data(), waits_.size(), timeout_ms < 0 ? most_ms : std::min(timeout_ms, most_ms)) >= 0) return;
    for (struct pollfd& wait : waits_) wait.revents = 0;
  }

 private:
  std::vector<struct pollfd> waits_;
  std::optional<std::chrono::milliseconds> most_;
};

}  // namespace cairn::agent
