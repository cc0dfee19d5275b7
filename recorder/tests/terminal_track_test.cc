// The oracle of playback: a terminal that was saved and restored at any event shows what one shows that saw everything.
#include "recorder/screen/terminal_track.h"

#include <gtest/gtest.h>

#include <random>

#include "recorder/tests/test_recording.h"

namespace cairn::recorder {
namespace {

Event opened(uint32_t channel, bool has_pty, uint32_t columns = 40, uint32_t rows = 10) {
  Event event;
  event.mutable_channel_opened()->set_channel(channel);
  event.mutable_channel_opened()->set_has_pty(has_pty);
  event.mutable_channel_opened()->set_columns(columns);
  event.mutable_channel_opened()->set_rows(rows);
  return event;
}

Event resized(uint32_t channel, uint32_t columns, uint32_t rows) {
  Event event;
  event.mutable_resize()->set_channel(channel);
  event.mutable_resize()->set_columns(columns);
  event.mutable_resize()->set_rows(rows);
  return event;
}

TEST(TerminalTrack, FollowsTheFirstTerminalAndItsSizes) {
  TerminalTrack track;
  track.feed(opened(3, true));
  track.feed(make_output(1, "shown", 3));
  track.feed(make_output(2, "not shown", 4));
  track.feed(resized(4, 9, 9));
  track.feed(resized(3, 20, 5));
  EXPECT_EQ(track.screen().columns(), 20u);
  EXPECT_EQ(Screen::text_of(track.screen().row(0)), "shown");
}

TEST(TerminalTrack, ReturnsTheCarriageForPrograms) {
  TerminalTrack track;
  track.feed(opened(0, false));
  track.feed(make_output(1, "one\ntwo\n", 0, recording::v1::STREAM_STDOUT));
  EXPECT_EQ(Screen::text_of(track.screen().row(1)), "two");
}

// Bytes of every kind, cut anywhere: inside sequences, strings and characters.
TEST(TerminalTrack, IsTheSameWhereverItIsSavedAndRestored) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const std::vector<std::string> pieces = {
      "\x1b[", "\x1b]0;title", "\x07", "\x1bP", "\x1b\\", "\x1b", "[",    "31",     ";",      "m",  "H",  "2J",
      "日",    "\xe6",         "\x97", "text",  "\r\n",   "\x9b", "\x18", "?1049h", "?1049l", "(0", "\t", "\x1b[5;5H"};
  for (int round = 0; round < 40; ++round) {
    TerminalTrack whole;
    TerminalTrack cut;
    whole.feed(opened(0, true));
    cut.feed(opened(0, true));
    for (int step = 0; step < 200; ++step) {
      Event event = random() % 30 == 0 ? resized(0, 1 + random() % 60, 1 + random() % 20)
                                       : make_output(1, pieces[random() % pieces.size()]);
      whole.feed(event);
      cut.feed(event);
      Result<TerminalTrack> restored = TerminalTrack::restore(cut.save());
      ASSERT_TRUE(restored) << restored.error().message;
      cut = std::move(*restored);
      ASSERT_EQ(whole.save(), cut.save());
    }
  }
}

// What a screen says of itself makes another of a fresh terminal, on which all that follows is drawn alike.
TEST(TerminalTrack, GoesOnFromTheTextOfItsState) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const std::vector<std::string> pieces = {"text",
                                           "a longer piece of text that wraps somewhere",
                                           "\r\n",
                                           "\x1b[31;1mred",
                                           "\x1b[48;5;17m",
                                           "\x1b[0m",
                                           "日本",
                                           "\x1b[5;9H",
                                           "\x1b[2;6r",
                                           "\x1b[r",
                                           "\x1b[?1049h",
                                           "\x1b[?1049l",
                                           "\x1b[?47h",
                                           "\x1b[?47l",
                                           "\0337",
                                           "\0338",
                                           "\x1b(0lqk",
                                           "\x1b(B",
                                           "\x1b)0\x0e",
                                           "\x0f",
                                           "\x1b[4h",
                                           "\x1b[4l",
                                           "\x1b[?7l",
                                           "\x1b[?7h",
                                           "\t",
                                           "\x1b[3g",
                                           "\x1b[12G\x1bH",
                                           "\x1b[K",
                                           "\x1b[2J",
                                           "\x1bM",
                                           "\x1bM\x1bM",
                                           "\x1b[2L",
                                           "\x1b[3M",
                                           "\x1b[4P",
                                           "\x1b[2@",
                                           "\x1b[?25l",
                                           "\x1b[?5h",
                                           "e\xcc\x81",
                                           "\b\b",
                                           "\x1b[3;999H",
                                           "\n\n\n",
                                           "\x1b[38;2;1;2;3m"};
  for (int round = 0; round < 60; ++round) {
    TerminalTrack track;
    track.feed(opened(0, true, 40, 10));
    for (int step = 0; step < 120; ++step) {
      track.feed(random() % 40 == 0 ? resized(0, 5 + random() % 60, 3 + random() % 20)
                                    : make_output(1, pieces[random() % pieces.size()]));
      Screen other(track.screen().columns(), track.screen().rows());
      other.feed(track.screen().state_text());
      Screen same = track.screen();
      for (const std::string_view after : {"", "x", "\r\ny\r\n\tz", "\0338w", "\x1b[H\x1b[?1049hv\x1b[?1049lu"}) {
        same.feed(after);
        other.feed(after);
        ASSERT_EQ(same.drawing(), other.drawing()) << "round " << round << " step " << step << " after " << after;
      }
    }
  }
}

}  // namespace
}  // namespace cairn::recorder
