#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/player/line_tracker.h"
#include "cli/player/transcript.h"
#include "cli/tests/test_events.h"

namespace cairn::cli {
namespace {

using testing_support::exit_at;
using testing_support::kSecond;
using testing_support::output_at;

TEST(Transcript, PutsEventsBetweenLines) {
  Transcript transcript(EventsMode::kInline, false);
  EXPECT_EQ(transcript.show(output_at(1, "one\n")), "one\n");
  EXPECT_EQ(transcript.show(exit_at(2, 7)), "  exit  pid 7 status 0\n");
  EXPECT_EQ(transcript.show(output_at(3, "two\n")), "two\n");
}

TEST(Transcript, HoldsEventsUntilTheLineEnds) {
  Transcript transcript(EventsMode::kInline, false);
  EXPECT_EQ(transcript.show(output_at(1, "$ cat")), "$ cat");
  EXPECT_EQ(transcript.show(exit_at(2, 7)), "");
  EXPECT_TRUE(transcript.is_holding_lines());
  EXPECT_EQ(transcript.show(output_at(3, " x\r\nfile\r\n$ ")), " x\r\n  exit  pid 7 status 0\nfile\r\n$ ");
  EXPECT_FALSE(transcript.is_holding_lines());
}

TEST(Transcript, BreaksALineThatDoesNotEnd) {
  Transcript transcript(EventsMode::kInline, true);
  transcript.show(output_at(1, "$ "));
  transcript.show(exit_at(2, 7));
  EXPECT_EQ(transcript.break_line(), "\r\n\x1b[2m  exit  pid 7 status 0\x1b[22m\r\n");
}

TEST(Transcript, KeepsEventsOutOfFullScreenPrograms) {
  Transcript transcript(EventsMode::kInline, false);
  transcript.show(output_at(1, "\x1b[?1049h\x1b[Hline\r\n"));
  EXPECT_EQ(transcript.show(exit_at(2, 7)), "");
  EXPECT_FALSE(transcript.is_holding_lines()) << "no quiet spell may break into the screen";
  EXPECT_EQ(transcript.show(output_at(3, "more\r\n")), "more\r\n");
  EXPECT_EQ(transcript.show(output_at(4, "\x1b[?1049l$ exit\r\n")), "\x1b[?1049l$ exit\r\n  exit  pid 7 status 0\n");
}

TEST(Transcript, CountsHeldEventsBeyondItsLimit) {
  Transcript transcript(EventsMode::kInline, false);
  transcript.show(output_at(1, "$ "));
  for (uint32_t pid = 0; pid < Transcript::kMaxHeldLines + 3; pid++) transcript.show(exit_at(2, pid));
  EXPECT_THAT(transcript.finish(), testing::HasSubstr("  3 more events came meanwhile"));
}

TEST(Transcript, ReleasesEverythingAtTheEnd) {
  Transcript transcript(EventsMode::kInline, false);
  transcript.show(output_at(1, "$ "));
  transcript.show(exit_at(2, 7));
  EXPECT_EQ(transcript.finish(), "\n  exit  pid 7 status 0\n");
}

TEST(Transcript, ShowsTheTerminalAloneOrTheEventsAlone) {
  const Transcript none(EventsMode::kNone, false);
  EXPECT_TRUE(none.shows(output_at(1, "x")));
  EXPECT_FALSE(none.shows(exit_at(1, 7)));
  Transcript only(EventsMode::kOnly, false);
  EXPECT_FALSE(only.shows(output_at(1, "x")));
  only.pass(output_at(kSecond, "x"));
  EXPECT_EQ(only.show(exit_at(3 * kSecond / 2, 7)), "     0.500  exit  pid 7 status 0\n");
}

TEST(Transcript, AddsNothingToPlainOutput) {
  Transcript transcript(EventsMode::kNone, false);
  EXPECT_EQ(transcript.show(output_at(1, "no line end")) + transcript.finish(), "no line end");
}

TEST(Transcript, FiltersWhatWouldAct) {
  Transcript transcript(EventsMode::kNone, false);
  EXPECT_EQ(transcript.show(output_at(1, "a\x1b]0;title\x07\x1b[6nb")), "ab");
}

TEST(Transcript, CountsTheProtocolOfSubsystems) {
  Transcript transcript(EventsMode::kInline, false);
  recording::v1::Event opened;
  opened.mutable_channel_opened()->set_type(recording::v1::CHANNEL_TYPE_SUBSYSTEM);
  opened.mutable_channel_opened()->set_command("sftp");
  EXPECT_THAT(transcript.show(opened), testing::HasSubstr("subsystem sftp"));
  const recording::v1::Event bytes = output_at(1, std::string(2048, 'x'));
  EXPECT_FALSE(transcript.shows(bytes));
  transcript.pass(bytes);
  recording::v1::Event closed;
  closed.mutable_channel_closed();
  EXPECT_EQ(transcript.show(closed), "  channel 0 closed: status 0, 2.0 KiB of its protocol not shown\n");
}

struct Ending {
  const char* name;
  std::string_view output;
  bool is_at_line_start;
};
class LineStart : public testing::TestWithParam<Ending> {};

TEST_P(LineStart, IsKnownAfterOutput) {
  LineTracker tracker;
  tracker.feed(GetParam().output);
  EXPECT_EQ(tracker.is_at_line_start(), GetParam().is_at_line_start);
}

INSTANTIATE_TEST_SUITE_P(Outputs, LineStart,
                         testing::Values(Ending{"nothing", "", true}, Ending{"line", "a\r\n", true},
                                         Ending{"half", "a\r\nb", false},
                                         Ending{"after_enter", "ls\r\n\x1b[?2004l\r", true},
                                         Ending{"style", "a\n\x1b[0m", true}, Ending{"progress", "50%\r", false},
                                         Ending{"moved", "a\n\x1b[A", false}, Ending{"charset", "a\n\x1b(B", false}),
                         [](const auto& ending) { return std::string(ending.param.name); });

}  // namespace
}  // namespace cairn::cli
