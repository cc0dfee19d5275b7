// docs/terminal-safety.md tells the truth: of each sequence that it names, what it says is left reaches a terminal.
#include <gtest/gtest.h>

#include <vector>

#include "base/file.h"
#include "recorder/terminal_filter.h"

namespace cairn::recorder {
namespace {

struct Row {
  std::string what;
  std::string bytes;
  std::string left;
};

// "\e]0;x\a" as the page writes it.
std::string decoded(std::string_view text) {
  std::string bytes;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\' || at + 1 == text.size()) {
      bytes += text[at];
      continue;
    }
    switch (text[++at]) {
      case 'e': bytes += '\x1b'; break;
      case 'a': bytes += '\a'; break;
      case 'x':
        bytes += static_cast<char>(std::stoi(std::string(text.substr(at + 1, 2)), nullptr, 16));
        at += 2;
        break;
      default: bytes += text[at];
    }
  }
  return bytes;
}

// The cells of one line of a table, without their quotes.
std::vector<std::string> cells(std::string_view line) {
  std::vector<std::string> found;
  while (line.size() > 1) {
    line.remove_prefix(1);  // of "| what | … |"
    std::string_view cell = line.substr(0, line.find('|'));
    line.remove_prefix(cell.size());
    while (cell.starts_with(' ')) cell.remove_prefix(1);
    while (cell.ends_with(' ')) cell.remove_suffix(1);
    if (cell.size() >= 2 && cell.starts_with('`')) cell = cell.substr(1, cell.size() - 2);
    found.emplace_back(cell);
  }
  return found;
}

// The rows of the table behind `<!-- name -->`.
std::vector<Row> table(std::string_view name) {
  const std::string page =
      read_file(std::filesystem::path(CAIRN_SOURCE_DIR) / "docs" / "terminal-safety.md", 1 << 20).value();
  std::string_view rest = page;
  const std::string mark = "<!-- " + std::string(name) + " -->\n";
  const size_t begins = rest.find(mark);
  EXPECT_NE(begins, std::string_view::npos);
  rest.remove_prefix(begins + mark.size());
  std::vector<Row> rows;
  for (int line = 0; rest.starts_with('|'); ++line) {
    const std::vector<std::string> row = cells(rest.substr(0, rest.find('\n')));
    rest.remove_prefix(rest.find('\n') + 1);
    if (line < 2) continue;  // head and rule
    rows.push_back(
        {.what = row.at(0), .bytes = decoded(row.at(1)), .left = row.size() > 2 ? row[2] : decoded(row.at(1))});
  }
  return rows;
}

// Between A and B, so that what is swallowed beyond the sequence shows, and cut at every place.
void expect_left(const Row& row) {
  SCOPED_TRACE(row.what);
  const std::string in = "A" + row.bytes + "B";
  for (size_t cut = 0; cut <= in.size(); ++cut) {
    TerminalFilter filter;
    std::string out = filter.filter(std::string_view(in).substr(0, cut));
    out += filter.filter(std::string_view(in).substr(cut));
    ASSERT_EQ(out, "A" + row.left + "B") << "cut at " << cut;
  }
}

TEST(TerminalPage, NamesWhatIsDropped) {
  const std::vector<Row> rows = table("dropped");
  EXPECT_GE(rows.size(), 40U);
  for (const Row& row : rows) expect_left(row);
}

TEST(TerminalPage, NamesWhatIsPassed) {
  const std::vector<Row> rows = table("passed");
  EXPECT_GE(rows.size(), 10U);
  for (const Row& row : rows) expect_left(row);
}

}  // namespace
}  // namespace cairn::recorder
