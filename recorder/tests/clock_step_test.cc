// Somebody sets the clock while a session is recorded, or the host sleeps: the recording says when and by how much, and
// everything stays in the order in which it happened.
#include "recorder/tests/test_recording.h"

namespace cairn::recorder {
namespace {

constexpr int64_t kHourNs = 3'600'000'000'000;
constexpr int64_t kWallNs = 1'700'000'000'000'000'000;

struct Turn {
  const char* name;
  std::vector<int64_t> wall_steps_ns;  // before each second of the session
  uint64_t asleep_ns = 0;              // before its last second
  std::vector<int64_t> expected;       // steps on record; 0: a sleep alone
};

class ClockStep : public RecordingFolder, public testing::WithParamInterface<Turn> {};

TEST_P(ClockStep, IsOnRecordAndChangesNoOrder) {
  ClockAnchor now(kStartNs, kStartNs - 5, kWallNs);
  Result<RecordingWriter> writer = RecordingWriter::create(path_, make_begin(), now, {});
  ASSERT_TRUE(writer);
  uint64_t seconds = 0;
  for (const int64_t step_ns : GetParam().wall_steps_ns) {
    const bool is_last = ++seconds == GetParam().wall_steps_ns.size();
    const uint64_t asleep_ns = is_last ? GetParam().asleep_ns : 0;
    now.wall_ns += step_ns + static_cast<int64_t>(asleep_ns);
    now.boot_ns += asleep_ns;
    for (int tenth = 0; tenth < 10; ++tenth) {
      now = {now.boot_ns + 100 * kMs, now.mono_ns + 100 * kMs, now.wall_ns + 100 * static_cast<int64_t>(kMs)};
      writer->add(make_output(now.boot_ns, fmt::format("{}.{} ", seconds, tenth)));
      ASSERT_TRUE(writer->flush(now));
    }
  }
  ASSERT_TRUE(writer->seal(recording::v1::END_REASON_COMPLETE, 0, now));

  const Played played = play(contents(path_));
  ASSERT_TRUE(played.end) << played.end.error().message;
  std::vector<int64_t> steps;
  uint64_t asleep_ns = 0;
  uint64_t last_boot_ns = 0;
  std::string output;
  std::string expected_output;
  for (const Event& event : played.events) {
    EXPECT_GE(event.boot_ns(), last_boot_ns);
    EXPECT_FALSE(event.late());
    last_boot_ns = event.boot_ns();
    output += event.output().data();
    if (!event.has_clock_step()) continue;
    steps.push_back(event.clock_step().step_ns());
    asleep_ns += event.clock_step().suspended_ns();
  }
  for (uint64_t second = 1; second <= seconds; ++second) {
    for (int tenth = 0; tenth < 10; ++tenth) expected_output += fmt::format("{}.{} ", second, tenth);
  }
  EXPECT_EQ(steps, GetParam().expected);
  EXPECT_EQ(asleep_ns, GetParam().asleep_ns);
  EXPECT_EQ(output, expected_output);
}

INSTANTIATE_TEST_SUITE_P(
    Turns, ClockStep,
    testing::Values(
        Turn{.name = "none", .wall_steps_ns = {0, 0, 0}, .expected = {}},
        Turn{.name = "ahead", .wall_steps_ns = {0, kHourNs, 0}, .expected = {kHourNs}},
        Turn{.name = "back", .wall_steps_ns = {0, -kHourNs, 0}, .expected = {-kHourNs}},
        Turn{.name = "there_and_back", .wall_steps_ns = {kHourNs, -kHourNs}, .expected = {kHourNs, -kHourNs}},
        Turn{.name = "before_the_epoch", .wall_steps_ns = {-2 * kWallNs}, .expected = {-2 * kWallNs}},
        Turn{.name = "a_little", .wall_steps_ns = {90'000'000, 0}, .expected = {}},
        // Whoever takes an hour in small steps is seen, too.
        Turn{.name = "little_by_little",
             .wall_steps_ns = {-60'000'000, -60'000'000, -60'000'000, -60'000'000},
             .expected = {-120'000'000, -120'000'000}},
        Turn{.name = "sleep", .wall_steps_ns = {0, 0}, .asleep_ns = kHourNs, .expected = {0}},
        Turn{.name = "sleep_and_step", .wall_steps_ns = {0, kHourNs}, .asleep_ns = kHourNs, .expected = {kHourNs}}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace cairn::recorder
