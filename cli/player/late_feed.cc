#include "cli/player/late_feed.h"

#include <utility>

namespace cairn::cli {

using recording::v1::Event;

Result<EventFeed::Step> LateFeed::next(std::chrono::milliseconds wait) {
  if (std::exchange(has_first_, false)) return std::move(first_);
  return is_there_ ? feed_->next(wait) : skip(wait);
}

Result<EventFeed::Step> LateFeed::skip(std::chrono::milliseconds wait) {
  for (;;) {
    Result<Step> step = feed_->next(wait);
    if (!step || step->state != State::kEvent) {
      is_there_ = true;
      if (!step) return step;
      has_first_ = true;
      first_ = std::move(*step);
      return picture(begin_boot_ns_ + after_ns_);
    }
    Event& event = step->event;
    if (!std::exchange(has_begun_, true)) {
      begin_boot_ns_ = event.boot_ns();
      return step;
    }
    if (!event.late() && event.boot_ns() >= begin_boot_ns_ + after_ns_) {
      is_there_ = true;
      has_first_ = true;
      first_ = std::move(*step);
      return picture(begin_boot_ns_ + after_ns_);
    }
    track_.feed(event);
    // Who plays must know which channels there are.
    if (event.has_channel_opened() || event.has_channel_closed()) return step;
  }
}

EventFeed::Step LateFeed::picture(uint64_t boot_ns) const {
  Step step{.state = State::kEvent, .event = {}};
  step.event.set_boot_ns(boot_ns);
  step.event.mutable_output()->set_channel(track_.channel().value_or(0));
  step.event.mutable_output()->set_stream(recording::v1::STREAM_TERMINAL);
  step.event.mutable_output()->set_data(track_.screen().drawing());
  return step;
}

Result<void> LateFeed::rewind() {
  is_there_ = after_ns_ == 0;
  has_begun_ = false;
  has_first_ = false;
  track_ = recorder::TerminalTrack();
  return feed_->rewind();
}

}  // namespace cairn::cli
