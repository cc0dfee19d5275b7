// What a terminal shows: saved and restored anywhere it is the same, and where libvterm and we both have an opinion, it
// is the same one.
#include "recorder/screen/screen.h"

#include <gtest/gtest.h>
#include <vterm.h>

#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "recorder/terminal_filter.h"

namespace cairn::recorder {
namespace {

std::vector<std::string> text_of(const Screen& screen) {
  std::vector<std::string> lines;
  for (uint32_t i = 0; i < screen.rows(); ++i) lines.push_back(Screen::text_of(screen.row(i)));
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

Screen shown(std::string_view bytes, uint32_t columns = 20, uint32_t rows = 6) {
  Screen screen(columns, rows);
  screen.feed(TerminalFilter().filter(bytes));
  return screen;
}

using Lines = std::vector<std::string>;

TEST(Screen, ShowsWhatIsPrinted) {
  EXPECT_EQ(text_of(shown("one\r\ntwo\r\n")), (Lines{"one", "two"}));
  EXPECT_EQ(text_of(shown("abc\b\bX\tY")), (Lines{"aXc     Y"}));
  EXPECT_EQ(text_of(shown("01234567890123456789next")), (Lines{"01234567890123456789", "next"}));
  EXPECT_EQ(text_of(shown("\x1b[?7l01234567890123456789next")), (Lines{"0123456789012345678t"}));
  EXPECT_EQ(text_of(shown("1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7")), (Lines{"2", "3", "4", "5", "6", "7"}));
  EXPECT_EQ(text_of(shown("\x1b[3;5Hx\x1b[Ay\x1b[1Kz")), (Lines{"", "      z", "    x"}));
  EXPECT_EQ(text_of(shown("\x1b(0lqk\x1b(B x")), (Lines{"┌─┐ x"}));
  EXPECT_EQ(text_of(shown("a\x1b[5bb")), (Lines{"aaaaaab"}));
}

TEST(Screen, EditsLinesAndRegions) {
  EXPECT_EQ(text_of(shown("1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[2H\x1b[Lnew")), (Lines{"1", "new", "2", "4"}));
  EXPECT_EQ(text_of(shown("1\r\n2\r\n3\r\n4\x1b[2H\x1b[M")), (Lines{"1", "3", "4"}));
  EXPECT_EQ(text_of(shown("abcdef\x1b[1;3H\x1b[2@\x1b[1;8H\x1b[P")), (Lines{"ab  cde"}));
  EXPECT_EQ(text_of(shown("abcdef\x1b[1;3H\x1b[2X")), (Lines{"ab  ef"}));
  EXPECT_EQ(text_of(shown("main\x1b[?1049h\x1b[Halternate\x1b[?1049l!")), (Lines{"main!"}));
}

TEST(Screen, KeepsWideCharactersWhole) {
  EXPECT_EQ(text_of(shown("日本\x1b[1;2Hx")), (Lines{" x本"}));
  EXPECT_EQ(text_of(shown("0123456789012345678日")), (Lines{"0123456789012345678", "日"}));
  EXPECT_EQ(text_of(shown("e\xcc\x81")), (Lines{"e\xcc\x81"}));
}

// Anything that the filter passes, in proportions that make pictures.
std::string random_stream(std::mt19937& random, size_t sequences) {
  const auto number = [&](unsigned most) { return std::to_string(random() % most); };
  const std::vector<std::string> finals = {"A", "B", "C", "D", "E", "F",  "G",  "H",  "I",  "J", "K", "L",
                                           "M", "P", "S", "T", "X", "Z",  "@",  "`",  "a",  "b", "d", "e",
                                           "f", "g", "r", "s", "u", "!p", " @", " A", "'}", "'~"};
  const std::vector<std::string> modes = {"4h",     "4l",     "?5h",    "?5l",    "?6h",    "?6l",   "?7h",  "?7l",
                                          "?25h",   "?25l",   "?45h",   "?45l",   "?47h",   "?47l",  "?69h", "?69l",
                                          "?1047h", "?1047l", "?1048h", "?1048l", "?1049h", "?1049l"};
  const std::vector<std::string> escapes = {"7", "8", "D",  "E",  "H",  "M",  "N",  "O",
                                            "n", "o", "(0", "(B", ")0", "*A", "#8", "c"};
  std::string text;
  for (size_t i = 0; i < sequences; ++i) {
    switch (random() % 12) {
      case 0: text += "\x1b[" + number(30) + ";" + number(90) + "H"; break;
      case 1: text += "\x1b[" + number(60) + ";" + number(110) + "m"; break;
      case 2: text += "\x1b[38;2;" + number(256) + ";" + number(256) + ";" + number(256) + "m"; break;
      case 3: text += "\x1b[" + number(9) + finals[random() % finals.size()]; break;
      case 4: text += "\x1b[" + number(12) + ";" + number(40) + finals[random() % finals.size()]; break;
      case 5: text += "\x1b[" + modes[random() % modes.size()]; break;
      case 6: text += "\x1b" + escapes[random() % escapes.size()]; break;
      case 7: text += std::string(1, "\b\t\n\r\x0e\x0f"[random() % 6]); break;
      case 8: text += random() % 2 == 0 ? "日本語" : "e\xcc\x81€"; break;
      case 9: text += "\r\n"; break;
      default:
        for (size_t j = random() % 30; j > 0; --j) text += static_cast<char>(' ' + random() % 95);
    }
  }
  return text;
}

TEST(Screen, IsTheSameWhereverItIsSavedAndRestored) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 60; ++round) {
    Screen whole(20 + random() % 80, 5 + random() % 30);
    Screen cut = whole;
    TerminalFilter filter;
    for (int step = 0; step < 40; ++step) {
      const std::string text = filter.filter(random_stream(random, 10));
      whole.feed(text);
      cut.feed(text);
      if (random() % 8 == 0) {
        const uint32_t columns = 1 + random() % 100;
        const uint32_t rows = 1 + random() % 40;
        whole.resize(columns, rows);
        cut.resize(columns, rows);
      }
      Result<Screen> restored = Screen::restore(cut.save());
      ASSERT_TRUE(restored);
      cut = std::move(*restored);
      ASSERT_EQ(whole.save(), cut.save());
    }
  }
}

TEST(Screen, IsDrawnAnewAsItWas) {
  std::mt19937 random(7);
  for (int round = 0; round < 100; ++round) {
    Screen screen(60, 20);
    screen.feed(TerminalFilter().filter(random_stream(random, 200)));
    Screen drawn(60, 20);
    drawn.feed(TerminalFilter().filter(random_stream(random, 50)));
    if (drawn.is_alternate() != screen.is_alternate()) continue;
    drawn.feed(TerminalFilter().filter(screen.drawing()));
    ASSERT_EQ(text_of(drawn), text_of(screen)) << round;
    for (uint32_t row = 0; row < 20; ++row) {
      Row wanted = screen.row(row);
      for (Cell& cell : wanted) cell.continues = false;  // each row is drawn for itself
      ASSERT_TRUE(drawn.row(row) == wanted) << round << " row " << row;
    }
    ASSERT_EQ(drawn.cursor_column(), screen.cursor_column());
    ASSERT_EQ(drawn.cursor_row(), screen.cursor_row());
  }
}

TEST(Screen, RefusesWhatNobodySaved) {
  const std::string good = shown("text \x1b[31mred").save();
  EXPECT_FALSE(Screen::restore("nonsense"));
  for (size_t cut = 0; cut < good.size(); ++cut) static_cast<void>(Screen::restore(good.substr(0, cut)));
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << (bit % 8));
    const Result<Screen> restored = Screen::restore(bad);
    if (restored) {
      Screen fed = *restored;
      fed.feed("more\r\n\x1b[5;5H\x1b[L\x1b[2@x");
    }
  }
}

// ---- the peer

class Peer {
 public:
  Peer(int columns, int rows) : terminal_(vterm_new(rows, columns)), columns_(columns), rows_(rows) {
    vterm_set_utf8(terminal_, 1);
    screen_ = vterm_obtain_screen(terminal_);
    vterm_screen_enable_altscreen(screen_, 1);
    vterm_screen_reset(screen_, 1);
  }
  ~Peer() { vterm_free(terminal_); }
  Peer(const Peer&) = delete;

  void feed(const std::string& bytes) { vterm_input_write(terminal_, bytes.data(), bytes.size()); }
  Lines text() const {
    Lines lines;
    for (int row = 0; row < rows_; ++row) {
      char buffer[4096];
      const size_t length = vterm_screen_get_text(screen_, buffer, sizeof buffer, {row, row + 1, 0, columns_});
      std::string line(buffer, length);
      while (line.ends_with(' ') || line.ends_with('\n')) line.pop_back();
      lines.push_back(std::move(line));
    }
    while (!lines.empty() && lines.back().empty()) lines.pop_back();
    return lines;
  }

 private:
  VTerm* terminal_;
  VTermScreen* screen_ = nullptr;
  int columns_;
  int rows_;
};

// The sequences that programs live on, within the screen, where terminals agree: libvterm 0.1 inserts and deletes
// characters inside the scroll region alone, xterm wherever the cursor is; and moves up and down do not stop at its
// edges.
std::string ordinary_stream(std::mt19937& random, size_t sequences, bool& has_region) {
  const auto number = [&](unsigned most) { return std::to_string(1 + random() % most); };
  std::string text;
  const std::string somewhere = "\x1b[" + number(20) + ";" + number(60) + "H";  // where no wrap is due
  for (size_t i = 0; i < sequences; ++i) {
    switch (random() % 14) {
      case 0: text += somewhere; break;
      case 1: text += "\x1b[" + number(5) + std::string(1, (has_region ? "CDCD" : "ABCD")[random() % 4]); break;
      case 2: text += somewhere + std::string("\x1b[") + "012"[random() % 3] + "K"; break;
      case 3: text += somewhere + std::string("\x1b[") + "012"[random() % 3] + "J"; break;
      case 4: text += somewhere + "\x1b[" + number(4) + std::string(1, "LM"[random() % 2]) + "\r"; break;
      case 5: text += somewhere + "\x1b[" + number(4) + std::string(1, has_region ? 'X' : "@PX"[random() % 3]); break;
      case 6:
        has_region = true;
        text += "\x1b[" + number(8) + ";" + std::to_string(10 + random() % 10) + "r";
        break;
      case 7:
        has_region = false;
        text += "\x1b[r";
        break;
      case 8: text += somewhere + "\x1b" + std::string(1, "DM"[random() % 2]); break;
      case 9: text += "\x1b[" + number(40) + std::string(1, "Gd"[random() % 2]); break;
      case 10: text += "\r\n"; break;
      default:
        for (size_t j = random() % 40; j > 0; --j) text += static_cast<char>('!' + random() % 94);
    }
  }
  return text;
}

TEST(Screen, AgreesWithLibvtermWhereTerminalsAgree) {
  for (unsigned seed = 1; seed <= 150; ++seed) {
    std::mt19937 random(seed);
    Screen ours(60, 20);
    Peer theirs(60, 20);
    TerminalFilter filter;
    bool has_region = false;
    for (int step = 0; step < 30; ++step) {
      const std::string text = ordinary_stream(random, 6, has_region);
      ours.feed(filter.filter(text));
      theirs.feed(text);
      ASSERT_EQ(text_of(ours), theirs.text()) << "seed " << seed << " step " << step << "\n"
                                              << testing::PrintToString(text);
    }
  }
}

}  // namespace
}  // namespace cairn::recorder
