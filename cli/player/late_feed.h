#pragma once

#include <cstdint>
#include <deque>

#include "cli/player/event_feed.h"
#include "recorder/screen/terminal_track.h"

namespace cairn::cli {

// A recording from a moment on: first its beginning, then what was on the terminal at that moment, as output, then what
// came after it.
class LateFeed final : public EventFeed {
 public:
  // `feed` outlives it. `after_ns`: since the recording's beginning; 0 changes nothing.
  explicit LateFeed(EventFeed* feed, uint64_t after_ns = 0)
      : feed_(feed), after_ns_(after_ns), is_there_(after_ns == 0) {}

  Result<Step> next(std::chrono::milliseconds wait) override;
  Result<void> rewind() override { return seek(0); }
  // Gives it anew, from another moment on.
  Result<void> seek(uint64_t after_ns);
  // Leaves the beginning behind: from then on track() is the terminal at the moment.
  Result<void> reach();
  std::optional<uint64_t> find_command(uint64_t at_ns, recorder::Step step) override {
    return feed_->find_command(at_ns, step);
  }

  // Once next() has given it.
  uint64_t begin_boot_ns() const { return begin_.boot_ns(); }
  // The terminal as it was at the moment; once reach() has been called, or next() has given more than the beginning.
  const recorder::TerminalTrack& track() const { return track_; }

 private:
  Result<Step> skip(std::chrono::milliseconds wait);
  Result<bool> jump_ahead();
  Step picture(uint64_t boot_ns) const;

  EventFeed* feed_;
  uint64_t after_ns_;
  bool is_there_;
  recording::v1::Event begin_;
  bool has_begun_ = false;  // begin_ has come
  recorder::TerminalTrack track_;
  std::deque<Step> first_;  // before what comes next
};

}  // namespace cairn::cli
