#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "cli/player/late_feed.h"
#include "cli/player/play_clock.h"
#include "cli/player/transcript.h"

namespace cairn::cli {

enum class Key { kPause, kForward, kBack, kNextCommand, kPreviousCommand, kFaster, kSlower, kQuit };

// Where the player acts: a terminal, a pipe, or a test.
class Stage {
 public:
  virtual ~Stage() = default;
  // A clock that never steps back.
  virtual nanoseconds now() const = 0;
  // Waits until `wait` has passed or a key is pressed; nullopt: until a key. Returns the key, if one was.
  virtual std::optional<Key> wait(std::optional<nanoseconds> wait) = 0;
  virtual Result<void> write(std::string_view bytes) = 0;
};

struct PlayOptions {
  double speed = 1;                                     // PlayClock::kNoWaiting: everything at once
  nanoseconds max_idle = std::chrono::hours(24 * 365);  // longer spells without anything to show are cut to this
  bool is_following = false;                            // at the end of a live recording, wait for more
};

// Plays a recording's events on a stage in time. Not thread-safe.
class Player {
 public:
  enum class Outcome {
    kFinished,   // to its end
    kQuit,       // the watcher left
    kStillLive,  // all that is there so far; only when not following
  };

  // Borrows feed, transcript and stage.
  Player(PlayOptions options, LateFeed& feed, Transcript& transcript, Stage& stage);
  // Fails as the feed does, after showing all that came before; or as the stage's write.
  Result<Outcome> play();

 private:
  enum class Wish { kGoOn, kQuit, kSeek };

  Result<Wish> wait_until(nanoseconds position);
  Result<Wish> obey(Key key);
  Wish go_back(nanoseconds now);
  Result<Wish> step(nanoseconds now, recorder::Step step);
  Result<Wish> show_in_time(const recording::v1::Event& event);
  Result<void> seek();
  Result<Wish> wait_for_more();
  Result<void> write(std::string_view bytes);

  PlayOptions options_;
  LateFeed& feed_;
  Transcript& transcript_;
  Stage& stage_;
  PlayClock clock_;
  Timeline timeline_;
  uint64_t target_boot_ns_ = 0;  // of a seek
  nanoseconds last_shown_position_{0};
  nanoseconds last_shown_now_{0};
};

}  // namespace cairn::cli
