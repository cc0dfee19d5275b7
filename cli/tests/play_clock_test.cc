#include <gtest/gtest.h>

#include "cli/player/play_clock.h"

namespace cairn::cli {
namespace {

using namespace std::chrono_literals;

TEST(PlayClock, WaitsForWhatIsMissingAtItsSpeed) {
  PlayClock clock(100s, 2);
  EXPECT_EQ(clock.position(103s), 6s);
  EXPECT_EQ(clock.wait_for(10s, 103s), 2s + 1ns);
  EXPECT_EQ(clock.wait_for(6s, 103s), 0s);
  EXPECT_EQ(clock.wait_for(1s, 103s), 0s);
}

TEST(PlayClock, StandsStillWhilePaused) {
  PlayClock clock(0s, 1);
  clock.toggle_pause(5s);
  EXPECT_EQ(clock.wait_for(6s, 50s), std::nullopt);
  clock.toggle_pause(100s);
  EXPECT_EQ(clock.position(101s), 6s);
}

TEST(PlayClock, GoesOnFromWhereItIsAtAnotherSpeed) {
  PlayClock clock(0s, 1);
  clock.set_speed(10, 5s);
  EXPECT_EQ(clock.position(6s), 15s);
  clock.set_speed(1000, 6s);
  EXPECT_EQ(clock.speed(), PlayClock::kFastest);
}

TEST(PlayClock, NeverWaitsWithoutPace) {
  const PlayClock clock(0s, PlayClock::kNoWaiting);
  EXPECT_EQ(clock.wait_for(1000h, 0s), 0s);
}

TEST(Timeline, CutsIdleSpells) {
  Timeline timeline(2s);
  EXPECT_EQ(timeline.place(1'000'000'000'000), 0s);
  EXPECT_EQ(timeline.place(1'001'000'000'000), 1s);
  EXPECT_EQ(timeline.place(1'901'000'000'000), 3s);
}

TEST(Timeline, LeavesLateEventsWhereTheyArrived) {
  Timeline timeline(2s);
  timeline.place(5'000'000'000);
  EXPECT_EQ(timeline.place(4'000'000'000), 0s);
  EXPECT_EQ(timeline.place(6'000'000'000), 1s);
}

TEST(Timeline, KnowsWhichMomentAPositionStandsFor) {
  Timeline timeline(2s);
  EXPECT_EQ(timeline.moment_at(0s), std::nullopt);
  timeline.place(1'000'000'000'000);
  timeline.place(1'001'000'000'000);
  timeline.place(1'901'000'000'000);  // at 3 s
  timeline.place(1'902'000'000'000);
  EXPECT_EQ(timeline.moment_at(500ms), 1'000'500'000'000u);
  EXPECT_EQ(timeline.moment_at(3s), 1'901'000'000'000u);
  EXPECT_EQ(timeline.moment_at(4s), 1'902'000'000'000u);
  EXPECT_EQ(timeline.moment_at(-5s), 995'000'000'000u) << "it may have begun in the middle";
}

TEST(Timeline, BeginsWhereItIsTold) {
  Timeline timeline(2s, 100s, 5'000'000'000);
  EXPECT_EQ(timeline.moment_at(99s), 4'000'000'000u);
  EXPECT_EQ(timeline.place(6'000'000'000), 101s);
}

TEST(Timeline, SurvivesForgedTimes) {
  Timeline timeline(std::chrono::hours(24 * 365));
  for (uint64_t year = 0; year < 500; year++) timeline.place(year * 31'536'000'000'000'000u);
  const nanoseconds end = timeline.place(UINT64_MAX);
  const PlayClock clock(0s, PlayClock::kSlowest);
  EXPECT_GT(clock.wait_for(end, 0s).value_or(0s), 0s);
}

}  // namespace
}  // namespace cairn::cli
