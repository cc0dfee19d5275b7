#include "recorder/terminal_filter.h"

#include <gtest/gtest.h>

#include <random>

namespace cairn::recorder {
namespace {

using namespace std::string_view_literals;

struct Case {
  const char* name;
  std::string_view in;
  std::string_view out;
};

// Everything stands between A and B, so that what is swallowed beyond the sequence shows.
class TerminalOutput : public testing::TestWithParam<Case> {};

TEST_P(TerminalOutput, ReachesTheViewerOnlyAsFarAsItDraws) {
  const std::string in = "A" + std::string(GetParam().in) + "B";
  const std::string expected = "A" + std::string(GetParam().out) + "B";
  EXPECT_EQ(TerminalFilter().filter(in), expected);
  for (size_t cut = 0; cut <= in.size(); ++cut) {
    TerminalFilter filter;
    std::string out = filter.filter(std::string_view(in).substr(0, cut));
    out += filter.filter(std::string_view(in).substr(cut));
    EXPECT_EQ(out, expected) << "cut at " << cut;
  }
}

std::string name_of(const testing::TestParamInfo<Case>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Passes, TerminalOutput,
    testing::Values(
        Case{"text", "hello, world", "hello, world"}, Case{"utf8", "\u00e9\u20ac\U0001f600", "\u00e9\u20ac\U0001f600"},
        Case{"controls", "\a\b\t\n\r\x0e\x0f", "\a\b\t\n\r\x0e\x0f"}, Case{"sgr", "\x1b[1;31m", "\x1b[1;31m"},
        Case{"sgr_true_colour", "\x1b[38:2::1:2:3m", "\x1b[38:2::1:2:3m"}, Case{"move", "\x1b[10;20H", "\x1b[10;20H"},
        Case{"erase", "\x1b[2J\x1b[K\x1b[?1J", "\x1b[2J\x1b[K\x1b[?1J"}, Case{"region", "\x1b[2;20r", "\x1b[2;20r"},
        Case{"insert_delete", "\x1b[3L\x1b[2M\x1b[4@\x1b[5P", "\x1b[3L\x1b[2M\x1b[4@\x1b[5P"},
        Case{"scroll_down", "\x1b[2T", "\x1b[2T"}, Case{"cursor_mode", "\x1b[?25l\x1b[?25h", "\x1b[?25l\x1b[?25h"},
        Case{"alternate_screen", "\x1b[?1049h\x1b[?1049l", "\x1b[?1049h\x1b[?1049l"},
        Case{"paste_mode_off", "\x1b[?2004l", "\x1b[?2004l"}, Case{"insert_mode", "\x1b[4h", "\x1b[4h"},
        Case{"save_restore", "\0337\0338\x1b[s\x1b[u", "\0337\0338\x1b[s\x1b[u"},
        Case{"index", "\033D\x1bM\033E\x1bH", "\033D\x1bM\033E\x1bH"},
        Case{"character_set", "\x1b(0\x1b)B", "\x1b(0\x1b)B"}, Case{"alignment", "\x1b#8", "\x1b#8"},
        Case{"cursor_shape", "\x1b[5 q", "\x1b[5 q"}, Case{"soft_reset", "\x1b[!p", "\x1b[!p"},
        Case{"full_reset_softly", "\033c", "\x1b[!p\x1b[H\x1b[2J"},
        Case{"control_inside_csi", "\x1b[1\n0C", "\n\x1b[10C"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Drops, TerminalOutput,
    testing::Values(
        Case{"title_bel", "\x1b]0;owned\a", ""}, Case{"title_st", "\x1b]2;owned\x1b\\", ""},
        Case{"clipboard", "\x1b]52;c;cm0gLXJmIC8=\a", ""}, Case{"clipboard_query", "\x1b]52;c;?\a", ""},
        Case{"hyperlink", "\x1b]8;;http://evil/\x1b\\click\x1b]8;;\x1b\\", "click"},
        Case{"dcs_decrqss", "\x1bP$qm\x1b\\", ""}, Case{"dcs_with_bel", "\x1bPx\ay\x1b\\", ""},
        Case{"apc", "\x1b_Gi=1;AAAA\x1b\\", ""}, Case{"pm", "\x1b^x\x1b\\", ""}, Case{"sos", "\x1bXx\x1b\\", ""},
        Case{"screen_title", "\x1bktitle\x1b\\", ""}, Case{"string_cancelled", "\x1b]0;x\x18", ""},
        Case{"string_broken_by_csi", "\x1b]0;x\x1b[1m", "\x1b[1m"},
        Case{"string_broken_by_string", "\x1b]0;x\x1b]0;y\a", ""},
        Case{"string_with_utf8", "\x1b]0;\u4e16\u754c\a", ""},
        Case{"device_attributes", "\x1b[c\x1b[0c\x1b[>c\x1b[=c\x1bZ", ""},
        Case{"status_report", "\x1b[5n\x1b[6n\x1b[?6n\x1b[>1n", ""}, Case{"mode_query", "\x1b[?25$p\x1b[4$p", ""},
        Case{"presentation_query", "\x1b[1$w\x1b[\"q", ""}, Case{"terminal_parameters", "\x1b[x", ""},
        Case{"version", "\x1b[>q\x1b[>0q", ""}, Case{"window_operations", "\x1b[21t\x1b[8;100;100t\x1b[3;0;0t", ""},
        Case{"media_copy", "\x1b[5i\x1b[?5i", ""},
        Case{"mouse", "\x1b[?1000h\x1b[?1002h\x1b[?1003h\x1b[?1006h\x1b[?9h", ""}, Case{"focus", "\x1b[?1004h", ""},
        Case{"paste_mode", "\x1b[?2004h", ""}, Case{"cursor_keys", "\x1b[?1h\x1b=\x1b>", ""},
        Case{"keyboard", "\x1b[>1u\x1b[=1u\x1b[?u\x1b[<u\x1b[>4;2m\x1b[?4m", ""},
        Case{"keyboard_lock", "\x1b[2h\x1b[12l\x1b[20h", ""}, Case{"columns", "\x1b[?3h\x1b[?40h", ""},
        Case{"restore_modes", "\x1b[?1000r\x1b[?1000s", ""}, Case{"checksum", "\x1b[1;1;1;1;1;1*y", ""},
        Case{"highlight_tracking", "\x1b[1;2;3;4;5T", ""}, Case{"leds", "\x1b[1q", ""},
        Case{"other_coding", "\x1b%@\x1b F\x1b G", ""}, Case{"answerback", "\x05", ""}, Case{"del", "\x7f", ""},
        Case{"huge_repeat", "\x1b[99999b", ""}, Case{"overflowing_number", "\x1b[4294967297C", ""},
        Case{"mixed_modes", "\x1b[?1000;25;1006l", "\x1b[?25l"}, Case{"prefix_inside", "\x1b[1?25h", ""},
        Case{"escape_restarts", "\x1b[3\x1b[1m", "\x1b[1m"}, Case{"csi_cancelled", "\x1b[3\x18m", "m"},
        Case{"null_and_vertical_tab", "\x00\x0b\x0c"sv, ""}, Case{"c1_csi", "\xc2\2336n\xc2\2331m", ""},
        Case{"c1_osc", "\xc2\23552;c;x\xc2\x9c", ""}, Case{"c1_dcs", "\xc2\x90$qm\x1b\\", ""},
        Case{"c1_decid", "\xc2\x9a", ""}, Case{"raw_c1", "\2336n", "\ufffd6n"},
        Case{"raw_c1_osc", "\2350;x\a", "\ufffd0;x\a"}, Case{"overlong", "\xc0\x9b[", "\ufffd\ufffd["},
        Case{"overlong_three", "\xe0\x82\x9b", "\ufffd\ufffd\ufffd"},
        Case{"surrogate", "\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
        Case{"torn_character", "\xe2\x82\x1b[1m", "\ufffd\x1b[1m"}),
    name_of);

TEST(TerminalFilter, IgnoresASequenceThatNeverEnds) {
  TerminalFilter filter;
  EXPECT_EQ(filter.filter("\x1b[" + std::string(100'000, '1') + "mrest"), "rest");
  EXPECT_EQ(filter.filter("\x1b[" + std::string(100'000, ' ') + "qrest"), "rest");
  EXPECT_EQ(filter.filter("\x1b" + std::string(100'000, '(')).size(), 100'000u - TerminalFilter::kMaxIntermediates - 1);
}

TEST(TerminalFilter, PassesItsOwnReset) {
  EXPECT_EQ(TerminalFilter().filter(TerminalFilter::reset_sequence()), TerminalFilter::reset_sequence());
}

// Whatever comes in, what goes out is clean: filtering it once more changes nothing.
TEST(TerminalFilter, IsIdempotentOnNoise) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  constexpr std::string_view kPieces = "\x1b\x1b\x1b[[]P?>!$;:0125cnhlmqtu\\\a\x18\xc2\x9b\x9d\xe2\x82\xac(%kA \r";
  for (int round = 0; round < 2000; ++round) {
    std::string in;
    for (int i = 0; i < 60; ++i) in += kPieces[random() % kPieces.size()];
    const std::string once = TerminalFilter().filter(in);
    EXPECT_EQ(TerminalFilter().filter(once), once);
    TerminalFilter bytewise;
    std::string sliced;
    for (const char c : in) sliced += bytewise.filter(std::string_view(&c, 1));
    EXPECT_EQ(sliced, once);
  }
}

}  // namespace
}  // namespace cairn::recorder
