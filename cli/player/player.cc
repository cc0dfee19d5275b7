#include "cli/player/player.h"

#include <algorithm>

namespace cairn::cli {
namespace {

constexpr nanoseconds kSeekStep = std::chrono::seconds(5);
constexpr nanoseconds kJustStarted = std::chrono::seconds(1);
constexpr nanoseconds kQuiet =
    std::chrono::seconds(1);  // after it, lines that wait for the terminal's next line wait no longer
constexpr std::chrono::milliseconds kFollowPoll{500};  // keys answer within this while a live recording is silent

}  // namespace

Player::Player(PlayOptions options, LateFeed& feed, Transcript& transcript, Stage& stage)
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
    if (*wish == Wish::kSeek) {
      if (const Result<void> sought = seek(); !sought) return fail(sought);
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
      const Result<Wish> wish = obey(*key);
      if (!wish || *wish != Wish::kGoOn) return wish;
      continue;
    }
    if (wait && *wait == nanoseconds(0)) return Wish::kGoOn;
  }
}

Result<Player::Wish> Player::obey(Key key) {
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
    case Key::kBack: return go_back(now);
    case Key::kNextCommand: return step(now, recorder::Step::kNextCommand);
    case Key::kPreviousCommand: return step(now, recorder::Step::kPreviousCommand);
  }
  return Wish::kGoOn;
}

Player::Wish Player::go_back(nanoseconds now) {
  const nanoseconds target = clock_.position(now) - kSeekStep;
  const std::optional<uint64_t> moment = timeline_.moment_at(target);
  if (!moment) return Wish::kGoOn;
  if (clock_.speed() == PlayClock::kNoWaiting) clock_.set_speed(1, now);
  target_boot_ns_ = *moment;
  clock_.jump(target, now);
  return Wish::kSeek;
}

// A step back from shortly after a command's start leads to the one before.
Result<Player::Wish> Player::step(nanoseconds now, recorder::Step step) {
  const bool is_back = step == recorder::Step::kPreviousCommand;
  const nanoseconds position = clock_.position(now);
  const std::optional<uint64_t> moment = timeline_.moment_at(is_back ? position - kJustStarted : position);
  const uint64_t begin = feed_.begin_boot_ns();
  const std::optional<uint64_t> found =
      moment ? feed_.find_command(*moment - std::min(begin, *moment), step) : std::nullopt;
  if (!found) {
    if (const Result<void> rung = write("\a"); !rung) return fail(rung);
    return Wish::kGoOn;
  }
  if (clock_.speed() == PlayClock::kNoWaiting) clock_.set_speed(1, now);
  target_boot_ns_ = begin + *found;
  return Wish::kSeek;
}

// To the target, which is where the clock stands.
Result<void> Player::seek() {
  const uint64_t begin = feed_.begin_boot_ns();
  target_boot_ns_ = std::max(target_boot_ns_, begin);
  if (const Result<void> sought = feed_.seek(target_boot_ns_ - begin); !sought) return sought;
  const nanoseconds now = stage_.now();
  const nanoseconds position = clock_.position(now);
  clock_.jump(position, now);
  timeline_ = Timeline(options_.max_idle, position, target_boot_ns_);
  last_shown_position_ = position;
  return write(transcript_.reset());
}

Result<Player::Wish> Player::wait_for_more() {
  const bool is_quiet = stage_.now() - last_shown_now_ >= kQuiet;
  if (is_quiet && transcript_.is_holding_lines()) {
    if (const Result<void> flushed = write(transcript_.break_line()); !flushed) return fail(flushed);
  }
  const std::optional<Key> key = stage_.wait(nanoseconds(0));
  return key ? obey(*key) : Result<Wish>(Wish::kGoOn);
}

Result<void> Player::write(std::string_view bytes) {
  if (bytes.empty()) return {};
  return stage_.write(bytes);
}

}  // namespace cairn::cli
