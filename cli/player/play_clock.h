#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

namespace cairn::cli {

using std::chrono::nanoseconds;

// Turns the time of whoever watches into a position in the playback. Both in nanoseconds; the watcher's clock is passed
// in.
class PlayClock {
 public:
  static constexpr double kNoWaiting = 0;
  static constexpr double kSlowest = 0.1;
  static constexpr double kFastest = 100;

  PlayClock(nanoseconds now, double speed) : anchor_now_(now), speed_(speed) {}

  double speed() const { return speed_; }
  bool is_paused() const { return is_paused_; }
  nanoseconds position(nanoseconds now) const;
  // How long to wait until `target` is due; 0: it is; nullopt: it will not be while paused.
  std::optional<nanoseconds> wait_for(nanoseconds target, nanoseconds now) const;

  void toggle_pause(nanoseconds now);
  // Within kSlowest..kFastest. From kNoWaiting, playback goes on at `speed` from `position`.
  void set_speed(double speed, nanoseconds now);
  void jump(nanoseconds position, nanoseconds now);

 private:
  nanoseconds anchor_now_;
  nanoseconds anchor_position_{0};
  double speed_;
  bool is_paused_ = false;
};

// Where events stand in the playback: recording time with idle spells cut down to max_idle.
class Timeline {
 public:
  // It begins at a position that stands for a moment; without one, at 0 for the first event.
  explicit Timeline(nanoseconds max_idle) : max_idle_(max_idle) {}
  Timeline(nanoseconds max_idle, nanoseconds position, uint64_t boot_ns);

  // The position of the next shown event. A late event (boot_ns before its predecessor's) stands where it arrived.
  nanoseconds place(uint64_t boot_ns);
  // The moment that a position stands for; before its beginning nothing is cut. nullopt: it has not begun.
  std::optional<uint64_t> moment_at(nanoseconds position) const;

 private:
  // From here on to the next one positions go as moments do.
  struct Knot {
    nanoseconds position;
    uint64_t boot_ns;
  };
  // More spells than a month has minutes; beyond them the first ones are forgotten.
  static constexpr size_t kMaxKnots = 65'536;

  nanoseconds max_idle_;
  std::optional<uint64_t> last_boot_ns_;
  nanoseconds position_{0};
  std::deque<Knot> knots_;
};

}  // namespace cairn::cli
