#include "cli/player/host_feed.h"

#include <utility>

namespace cairn::cli {

std::optional<EventFeed::Step> HostFeed::from_ledger(uint64_t until_boot_ns) {
  if (shown_ == ledger_.size() || ledger_[shown_].boot_ns() > until_boot_ns) return std::nullopt;
  return Step{.state = State::kEvent, .event = ledger_[shown_++]};
}

Result<EventFeed::Step> HostFeed::next(std::chrono::milliseconds wait) {
  if (!held_) {
    Result<Step> step = recording_->next(wait);
    if (!step) return step;
    held_ = *std::move(step);
  }
  const Step& held = *held_;
  const bool is_event = held.state == State::kEvent;
  if (is_event) last_boot_ns_ = held.event.boot_ns();
  // Nothing goes ahead of the recording's first event, which says what is played.
  const bool is_first = is_event && held.event.has_begin();
  const uint64_t grace_ns = std::chrono::nanoseconds(kGrace).count();
  if (!is_first && held.state != State::kWaiting) {
    if (std::optional<Step> step = from_ledger(is_event ? last_boot_ns_ : last_boot_ns_ + grace_ns)) {
      return *std::move(step);
    }
  }
  Step due = held;
  held_.reset();
  return due;
}

// The ledger's begins anew: who jumps leaves out what was before.
Result<std::optional<recorder::Keyframe>> HostFeed::jump(uint64_t at_ns) {
  Result<std::optional<recorder::Keyframe>> keyframe = recording_->jump(at_ns);
  if (!keyframe || !*keyframe) return keyframe;
  shown_ = 0;
  held_.reset();
  last_boot_ns_ = 0;
  return keyframe;
}

Result<void> HostFeed::rewind() {
  shown_ = 0;
  held_.reset();
  last_boot_ns_ = 0;
  return recording_->rewind();
}

}  // namespace cairn::cli
