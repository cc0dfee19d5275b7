#include "cli/player/late_feed.h"

#include <utility>

namespace cairn::cli {

using recording::v1::Event;

Result<EventFeed::Step> LateFeed::next(std::chrono::milliseconds wait) {
  if (!first_.empty()) {
    Step step = std::move(first_.front());
    first_.pop_front();
    return step;
  }
  if (!is_there_) return skip(wait);
  Result<Step> step = feed_->next(wait);
  if (step && step->state == State::kEvent && !std::exchange(has_begun_, true)) begin_ = step->event;
  return step;
}

Result<EventFeed::Step> LateFeed::skip(std::chrono::milliseconds wait) {
  for (;;) {
    Result<Step> step = feed_->next(wait);
    const uint64_t moment = begin_.boot_ns() + after_ns_;
    if (!step || step->state != State::kEvent) {
      is_there_ = true;
      if (!step) return step;
      first_.push_back(std::move(*step));
      return picture(moment);
    }
    Event& event = step->event;
    if (!std::exchange(has_begun_, true)) {
      begin_ = event;
      if (const Result<bool> jumped = jump_ahead(); !jumped) return fail(jumped);
      return step;
    }
    if (!event.late() && event.boot_ns() >= moment) {
      is_there_ = true;
      first_.push_back(std::move(*step));
      return picture(moment);
    }
    track_.feed(event);
    // Who plays must know which channels there are.
    if (event.has_channel_opened() || event.has_channel_closed()) return step;
  }
}

// Whether the way was known.
Result<bool> LateFeed::jump_ahead() {
  Result<std::optional<recorder::Keyframe>> found = feed_->jump(after_ns_);
  if (!found) return fail(found);
  std::optional<recorder::Keyframe>& keyframe = *found;
  if (!keyframe) return false;
  track_ = std::move(keyframe->track);
  for (Event& opened : keyframe->open_channels) first_.push_back({.state = State::kEvent, .event = std::move(opened)});
  return true;
}

Result<void> LateFeed::reach() {
  while (!is_there_) {
    if (const Result<Step> step = next(std::chrono::milliseconds(0)); !step) return fail(step);
  }
  return {};
}

EventFeed::Step LateFeed::picture(uint64_t boot_ns) const {
  Step step{.state = State::kEvent, .event = {}};
  step.event.set_boot_ns(boot_ns);
  step.event.mutable_output()->set_channel(track_.channel().value_or(0));
  step.event.mutable_output()->set_stream(recording::v1::STREAM_TERMINAL);
  step.event.mutable_output()->set_data(track_.screen().drawing());
  return step;
}

Result<void> LateFeed::seek(uint64_t after_ns) {
  after_ns_ = after_ns;
  is_there_ = after_ns == 0;
  first_.clear();
  track_ = recorder::TerminalTrack();
  if (has_begun_ && !is_there_) {
    first_.push_back({.state = State::kEvent, .event = begin_});
    const Result<bool> jumped = jump_ahead();
    if (!jumped) return fail(jumped);
    if (*jumped) return {};
    first_.clear();
  }
  has_begun_ = false;
  return feed_->rewind();
}

}  // namespace cairn::cli
