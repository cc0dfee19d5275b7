#pragma once

#include <cstdint>

#include "cli/player/event_feed.h"
#include "recorder/screen/terminal_track.h"

namespace cairn::cli {

// A recording from a moment on: first its beginning, then what was on the terminal at that moment, as output, then what
// came after it.
class LateFeed final : public EventFeed {
 public:
  // `feed` outlives it. `after_ns`: since the recording's beginning; 0 changes nothing.
  LateFeed(EventFeed* feed, uint64_t after_ns) : feed_(feed), after_ns_(after_ns), is_there_(after_ns == 0) {}

  Result<Step> next(std::chrono::milliseconds wait) override;
  Result<void> rewind() override;

  // The terminal as it was at the moment; once next() has given something else than the beginning.
  const recorder::TerminalTrack& track() const { return track_; }

 private:
  Result<Step> skip(std::chrono::milliseconds wait);
  Step picture(uint64_t boot_ns) const;

  EventFeed* feed_;
  uint64_t after_ns_;
  bool is_there_;
  uint64_t begin_boot_ns_ = 0;
  bool has_begun_ = false;
  recorder::TerminalTrack track_;
  bool has_first_ = false;  // `first_` comes after the picture
  Step first_;
};

}  // namespace cairn::cli
