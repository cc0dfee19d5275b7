#include "cli/player/player.h"

#include <algorithm>

namespace cairn::cli {
namespace {

constexpr nanoseconds kSeekStep = std::chrono::seconds(5);
constexpr nanoseconds kQuiet =
    std::chrono::seconds(1);  // after it, lines that wait for the terminal's next line wait no longer
constexpr std::chrono::milliseconds kFollowPoll{500};  // keys answer within this while a live recording is silent

}  // namespace

Player::Player(PlayOptions options, EventFeed& feed, Transcript& transcript, Stage& stage)
    : options_(options),
      feed_(feed),
      transcript_(transcript),
      stage_(stage),
      clock_(stage.now(), options.speed),
      timeline_(options.max_idle) {}

Result<Player::Outcome> Player::play() {
  for (;;) {
    const auto poll = options_.is_following ? kFollowPoll : std::chrono::milliseconds(0);
    Result<EventFeed::Step> step = feed_.next(poll);
    if (!step || step->state == EventFeed::State::kEnd ||
        (step->state == EventFeed::State::kWaiting && !options_.is_following)) {
      if (const Result<void> flushed = write(transcript_.finish()); !flushed) return fail(flushed);
      if (!step) return fail(step);
      return step->state == EventFeed::State::kEnd ? Outcome::kFinished : Outcome::kStillLive;
    }
    const Result<Wish> wish = step->state == EventFeed::State::kWaiting ? wait_for_more() : show_in_time(step->event);
    if (!wish) return fail(wish);
    if (*wish == Wish::kQuit) {
      if (const Result<void> flushed = write(transcript_.finish()); !flushed) return fail(flushed);
      return Outcome::kQuit;
    }
    if (*wish == Wish::kReplay) {
      if (const Result<void> rewound = replay(); !rewound) return fail(rewound);
    }
  }
}

Result<Player::Wish> Player::show_in_time(const recording::v1::Event& event) {
  if (!transcript_.shows(event)) {
    transcript_.pass(event);
    return Wish::kGoOn;
  }
  const nanoseconds due = timeline_.place(event.boot_ns());
  if (transcript_.is_holding_lines() && due - last_shown_position_ >= kQuiet) {
    const Result<Wish> wish = wait_until(last_shown_position_ + kQuiet);
    if (!wish || *wish != Wish::kGoOn) return wish;
    if (const Result<void> flushed = write(transcript_.break_line()); !flushed) return fail(flushed);
  }
  const Result<Wish> wish = wait_until(due);
  if (!wish || *wish != Wish::kGoOn) return wish;
  last_shown_position_ = due;
  last_shown_now_ = stage_.now();
  if (const Result<void> shown = write(transcript_.show(event)); !shown) return fail(shown);
  return Wish::kGoOn;
}

// A key may end the wait: a faster speed shortens it, a seek makes it unnecessary or starts anew.
Result<Player::Wish> Player::wait_until(nanoseconds position) {
  for (;;) {
    const std::optional<nanoseconds> wait = clock_.wait_for(position, stage_.now());
    const std::optional<Key> key = stage_.wait(wait);
    if (key) {
      if (const Wish wish = obey(*key); wish != Wish::kGoOn) return wish;
      continue;
    }
    if (wait && *wait == nanoseconds(0)) return Wish::kGoOn;
  }
}

Player::Wish Player::obey(Key key) {
  const nanoseconds now = stage_.now();
  const bool is_unpaced = clock_.speed() == PlayClock::kNoWaiting;
  if (is_unpaced)
    clock_.jump(last_shown_position_, now);  // without a pace the clock stands still; what was shown did not
  switch (key) {
    case Key::kQuit: return Wish::kQuit;
    case Key::kPause: clock_.toggle_pause(now); break;
    case Key::kFaster:
      if (!is_unpaced) clock_.set_speed(clock_.speed() * 2, now);
      break;
    case Key::kSlower: clock_.set_speed(is_unpaced ? 1 : clock_.speed() / 2, now); break;
    case Key::kForward: clock_.jump(clock_.position(now) + kSeekStep, now); break;
    case Key::kBack:
      if (is_unpaced) clock_.set_speed(1, now);
      clock_.jump(clock_.position(now) - kSeekStep, now);
      return Wish::kReplay;
  }
  return Wish::kGoOn;
}

// Backwards there is only one way for a terminal: from the start. All that is due before the clock's position comes at
// once.
Result<void> Player::replay() {
  if (const Result<void> rewound = feed_.rewind(); !rewound) return fail(rewound);
  timeline_ = Timeline(options_.max_idle);
  last_shown_position_ = nanoseconds(0);
  return write(transcript_.reset());
}

Result<Player::Wish> Player::wait_for_more() {
  const bool is_quiet = stage_.now() - last_shown_now_ >= kQuiet;
  if (is_quiet && transcript_.is_holding_lines()) {
    if (const Result<void> flushed = write(transcript_.break_line()); !flushed) return fail(flushed);
  }
  const std::optional<Key> key = stage_.wait(nanoseconds(0));
  return key ? obey(*key) : Wish::kGoOn;
}

Result<void> Player::write(std::string_view bytes) {
  if (bytes.empty()) return {};
  return stage_.write(bytes);
}

}  // namespace cairn::cli
