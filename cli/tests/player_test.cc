#include <deque>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/player/player.h"
#include "cli/tests/test_events.h"

namespace cairn::cli {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using testing_support::begin_at;
using testing_support::exit_at;
using testing_support::kSecond;
using testing_support::output_at;

// Events from memory; then its end, a cut, or a live session that gets more.
class FakeFeed final : public EventFeed {
 public:
  Result<Step> next(std::chrono::milliseconds) override {
    if (at < events.size()) return Step{State::kEvent, events[at++]};
    if (is_cut) return fail(Errc::kTruncated, "recording ends after 1 whole chunks");
    if (waits_left == 0) return Step{State::kEnd, {}};
    waits_left--;
    if (on_wait) on_wait();
    return Step{State::kWaiting, {}};
  }
  Result<void> rewind() override {
    at = 0;
    return {};
  }
  std::optional<uint64_t> find_command(uint64_t at_ns, recorder::Step step) override {
    asked.push_back(at_ns);
    std::optional<uint64_t> found;
    for (const uint64_t command : commands) {
      if (step == recorder::Step::kPreviousCommand && command < at_ns) found = command;
      if (step == recorder::Step::kNextCommand && command > at_ns && !found) found = command;
    }
    return found;
  }

  std::vector<recording::v1::Event> events;
  bool is_cut = false;
  int waits_left = 0;
  std::function<void()> on_wait;
  size_t at = 0;
  std::vector<uint64_t> commands;
  std::vector<uint64_t> asked;
};

// Time passes only by waiting; keys come at set times. Notes what was written and when, in seconds.
class FakeStage final : public Stage {
 public:
  nanoseconds now() const override { return now_; }
  std::optional<Key> wait(std::optional<nanoseconds> wait) override {
    const bool comes_in_time = !keys.empty() && (!wait || keys.front().first <= now_ + *wait);
    if (!comes_in_time && !wait) throw std::logic_error("waits for a key that never comes");
    if (!comes_in_time) {
      now_ += *wait;
      return std::nullopt;
    }
    now_ = std::max(now_, keys.front().first);
    const Key key = keys.front().second;
    keys.pop_front();
    return key;
  }
  Result<void> write(std::string_view bytes) override {
    written.push_back(fmt::format("{}: {}", std::chrono::duration_cast<std::chrono::seconds>(now_).count(), bytes));
    return {};
  }

  std::deque<std::pair<nanoseconds, Key>> keys;
  std::vector<std::string> written;
  nanoseconds now_{0};
};

class Playing : public testing::Test {
 protected:
  Result<Player::Outcome> play(PlayOptions options, EventsMode mode = EventsMode::kInline) {
    Transcript transcript(mode, false);
    LateFeed feed(&feed_);
    Player player(options, feed, transcript, stage_);
    return player.play();
  }
  FakeFeed feed_;
  FakeStage stage_;
};

TEST_F(Playing, KeepsTime) {
  feed_.events = {output_at(10 * kSecond, "a\n"), output_at(13 * kSecond, "b\n"), output_at(14 * kSecond, "c\n")};
  EXPECT_EQ(play({}).value(), Player::Outcome::kFinished);
  EXPECT_THAT(stage_.written, ElementsAre("0: a\n", "3: b\n", "4: c\n"));
}

TEST_F(Playing, IsFasterOrSlowerOnDemand) {
  feed_.events = {output_at(0, "a\n"), output_at(10 * kSecond, "b\n")};
  ASSERT_TRUE(play({.speed = 0.5}));
  EXPECT_THAT(stage_.written, ElementsAre("0: a\n", "20: b\n"));
}

TEST_F(Playing, CutsIdleSpells) {
  feed_.events = {output_at(0, "a\n"), output_at(600 * kSecond, "b\n")};
  ASSERT_TRUE(play({.max_idle = 2s}));
  EXPECT_THAT(stage_.written, ElementsAre("0: a\n", "2: b\n"));
}

TEST_F(Playing, DoesNotTakeHiddenEventsForActivity) {
  feed_.events = {output_at(0, "a\n"), exit_at(300 * kSecond, 7), output_at(600 * kSecond, "b\n")};
  ASSERT_TRUE(play({.max_idle = 2s}, EventsMode::kNone));
  EXPECT_THAT(stage_.written, ElementsAre("0: a\n", "2: b\n"));
}

TEST_F(Playing, ReleasesHeldLinesAfterASecondOfQuiet) {
  feed_.events = {output_at(0, "$ "), exit_at(kSecond / 10, 7), output_at(5 * kSecond, "x\n")};
  ASSERT_TRUE(play({}));
  EXPECT_THAT(stage_.written, ElementsAre("0: $ ", "1: \n  exit  pid 7 status 0\n", "5: x\n"));
}

TEST_F(Playing, KeepsHeldLinesWhileTheLineGrows) {
  feed_.events = {output_at(0, "$ "), exit_at(1, 7), output_at(kSecond / 2, "l"), output_at(kSecond, "s\n")};
  ASSERT_TRUE(play({.speed = PlayClock::kNoWaiting}));
  EXPECT_THAT(stage_.written, ElementsAre("0: $ ", "0: l", "0: s\n  exit  pid 7 status 0\n"));
}

TEST_F(Playing, PausesAndGoesOn) {
  feed_.events = {output_at(0, "a\n"), output_at(10 * kSecond, "b\n")};
  stage_.keys = {{4s, Key::kPause}, {104s, Key::kPause}};
  ASSERT_TRUE(play({}));
  EXPECT_THAT(stage_.written, ElementsAre("0: a\n", "110: b\n"));
}

TEST_F(Playing, SeeksForward) {
  feed_.events = {output_at(0, "a\n"), output_at(4 * kSecond, "b\n"), output_at(9 * kSecond, "c\n")};
  stage_.keys = {{1s, Key::kForward}};
  ASSERT_TRUE(play({}));
  EXPECT_THAT(stage_.written, ElementsAre("0: a\n", "1: b\n", "4: c\n"));
}

TEST_F(Playing, SeeksBackwardToTheScreenThatWasThen) {
  feed_.events = {begin_at(0), output_at(0, "a\r\n"), output_at(2 * kSecond, "b\n"), output_at(10 * kSecond, "c\n")};
  stage_.keys = {{8s, Key::kBack}};
  ASSERT_TRUE(play({}, EventsMode::kNone));
  ASSERT_EQ(stage_.written.size(), 4u);
  EXPECT_THAT(stage_.written[2], AllOf(HasSubstr("8: "), HasSubstr("a"), HasSubstr("b"), Not(HasSubstr("c"))));
  EXPECT_EQ(stage_.written[3], "15: c\n") << "what takes two seconds was at three";
}

TEST_F(Playing, StepsFromCommandToCommand) {
  feed_.events = {begin_at(kSecond), output_at(kSecond, "a\n"), output_at(50 * kSecond, "b\n"),
                  output_at(90 * kSecond, "c\n")};
  feed_.commands = {40 * kSecond, 85 * kSecond};
  stage_.keys = {{0s, Key::kNextCommand}, {2s, Key::kNextCommand}, {4s, Key::kPreviousCommand}, {6s, Key::kQuit}};
  ASSERT_TRUE(play({}, EventsMode::kNone));
  const std::vector<uint64_t> asked = {0, 42 * kSecond, 86 * kSecond};
  EXPECT_EQ(feed_.asked, asked);
  EXPECT_THAT(stage_.written, ElementsAre(StartsWith("0: "), StartsWith("2: "), StartsWith("4: ")));
}

TEST_F(Playing, RingsWhereThereIsNoCommand) {
  feed_.events = {begin_at(0), output_at(0, "a\n"), output_at(10 * kSecond, "b\n")};
  stage_.keys = {{3s, Key::kNextCommand}};
  ASSERT_TRUE(play({}, EventsMode::kNone));
  EXPECT_THAT(stage_.written, ElementsAre("0: a\n", "3: \a", "10: b\n"));
}

TEST_F(Playing, ChangesSpeedInTheMiddleOfAWait) {
  feed_.events = {output_at(0, "a\n"), output_at(20 * kSecond, "b\n")};
  stage_.keys = {{10s, Key::kFaster}};
  ASSERT_TRUE(play({}));
  EXPECT_THAT(stage_.written, ElementsAre("0: a\n", "15: b\n"));
}

TEST_F(Playing, QuitsInTheMiddleOfAWait) {
  feed_.events = {output_at(0, "a"), output_at(20 * kSecond, "b")};
  stage_.keys = {{10s, Key::kQuit}};
  EXPECT_EQ(play({}).value(), Player::Outcome::kQuit);
  EXPECT_THAT(stage_.written, ElementsAre("0: a"));
}

TEST_F(Playing, ShowsAllBeforeACutAndThenFails) {
  feed_.events = {output_at(0, "$ "), exit_at(1, 7)};
  feed_.is_cut = true;
  const auto outcome = play({});
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, make_error_code(Errc::kTruncated));
  EXPECT_THAT(stage_.written, ElementsAre("0: $ ", "0: \n  exit  pid 7 status 0\n"));
}

TEST_F(Playing, EndsAtTheEdgeOfALiveSession) {
  feed_.events = {output_at(0, "a\n")};
  feed_.waits_left = 1;
  EXPECT_EQ(play({}).value(), Player::Outcome::kStillLive);
}

TEST_F(Playing, FollowsALiveSession) {
  feed_.events = {output_at(0, "$ "), exit_at(1, 7)};
  feed_.waits_left = 3;
  feed_.on_wait = [this] {
    stage_.now_ += 600ms;
    if (feed_.waits_left == 0) feed_.events.push_back(output_at(5 * kSecond, "late\n"));
  };
  EXPECT_EQ(play({.speed = PlayClock::kNoWaiting, .is_following = true}).value(), Player::Outcome::kFinished);
  EXPECT_THAT(stage_.written, ElementsAre("0: $ ", "1: \n  exit  pid 7 status 0\n", "1: late\n"));
}

}  // namespace
}  // namespace cairn::cli
