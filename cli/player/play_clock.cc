#include "cli/player/play_clock.h"

#include <algorithm>

namespace cairn::cli {
namespace {

// Nine years: far beyond any session, and divided by the slowest speed it still fits into 64 bits.
constexpr nanoseconds kLastPosition{int64_t{1} << 58};

}  // namespace

nanoseconds PlayClock::position(nanoseconds now) const {
  if (is_paused_ || speed_ == kNoWaiting) return anchor_position_;
  return anchor_position_ +
         nanoseconds(static_cast<int64_t>(static_cast<double>((now - anchor_now_).count()) * speed_));
}

std::optional<nanoseconds> PlayClock::wait_for(nanoseconds target, nanoseconds now) const {
  if (is_paused_) return target <= anchor_position_ ? std::optional(nanoseconds(0)) : std::nullopt;
  if (speed_ == kNoWaiting) return nanoseconds(0);
  const nanoseconds missing = target - position(now);
  if (missing <= nanoseconds(0)) return nanoseconds(0);
  // Rounded up, so that a wait of 0 always means due.
  return nanoseconds(static_cast<int64_t>(static_cast<double>(missing.count()) / speed_) + 1);
}

void PlayClock::toggle_pause(nanoseconds now) {
  jump(position(now), now);
  is_paused_ = !is_paused_;
}

void PlayClock::set_speed(double speed, nanoseconds now) {
  jump(position(now), now);
  speed_ = std::clamp(speed, kSlowest, kFastest);
}

void PlayClock::jump(nanoseconds position, nanoseconds now) {
  anchor_position_ = std::max(position, nanoseconds(0));
  anchor_now_ = now;
}

Timeline::Timeline(nanoseconds max_idle, nanoseconds position, uint64_t boot_ns)
    : max_idle_(max_idle), last_boot_ns_(boot_ns), position_(position), knots_{{position, boot_ns}} {}

nanoseconds Timeline::place(uint64_t boot_ns) {
  bool is_knot = !last_boot_ns_;
  if (last_boot_ns_ && boot_ns > *last_boot_ns_) {
    // A forged clock must not overflow: what passes max_idle is cut before it is converted.
    const uint64_t idle = std::min(boot_ns - *last_boot_ns_, static_cast<uint64_t>(max_idle_.count()));
    is_knot = idle < boot_ns - *last_boot_ns_;
    position_ = std::min(position_ + nanoseconds(static_cast<int64_t>(idle)), kLastPosition);
  }
  last_boot_ns_ = std::max(boot_ns, last_boot_ns_.value_or(0));
  if (is_knot) knots_.push_back({position_, boot_ns});
  if (knots_.size() > kMaxKnots) knots_.pop_front();
  return position_;
}

std::optional<uint64_t> Timeline::moment_at(nanoseconds position) const {
  if (knots_.empty()) return std::nullopt;
  const auto after = std::ranges::upper_bound(knots_, position, {}, &Knot::position);
  const Knot& knot = after == knots_.begin() ? *after : *std::prev(after);
  if (position >= knot.position) return knot.boot_ns + static_cast<uint64_t>((position - knot.position).count());
  return knot.boot_ns - std::min(knot.boot_ns, static_cast<uint64_t>((knot.position - position).count()));
}

}  // namespace cairn::cli
