// A screen as text that draws it.
#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "recorder/screen/screen.h"

namespace cairn::recorder {
namespace {

constexpr std::string_view kPlain = "\x1b[0m\x1b(B\x1b)B\x1b*B\x1b+B\x0f";

std::string colour_parameters(uint32_t colour, unsigned base) {
  if ((colour & Style::kPalette) != 0) return fmt::format(";{};5;{}", base + 8, colour & 0xff);
  if ((colour & Style::kDirect) != 0)
    return fmt::format(";{};2;{};{};{}", base + 8, colour >> 16 & 0xff, colour >> 8 & 0xff, colour & 0xff);
  return {};
}

std::string sgr(const Style& style) {
  std::string text = "\x1b[0";
  constexpr std::array<std::pair<uint16_t, unsigned>, 8> kFlags = {{{Style::kBold, 1},
                                                                    {Style::kFaint, 2},
                                                                    {Style::kItalic, 3},
                                                                    {Style::kUnderline, 4},
                                                                    {Style::kBlink, 5},
                                                                    {Style::kInverse, 7},
                                                                    {Style::kHidden, 8},
                                                                    {Style::kStruck, 9}}};
  for (const auto& [flag, code] : kFlags) {
    if ((style.flags & flag) != 0) text += fmt::format(";{}", code);
  }
  return text + colour_parameters(style.foreground, 30) + colour_parameters(style.background, 40) + "m";
}

std::string cell_text(const Cell& cell) {
  std::string character = Screen::text_of({cell});
  return character.empty() ? " " : character;
}

// Where a line goes on is not drawn.
bool is_undrawn(Cell cell) {
  cell.continues = false;
  return cell == Cell();
}

// All rows of a terminal whose screen is clear and whose style and sets are plain.
std::string rows_text(const std::vector<Row>& rows) {
  std::string text;
  Style style;
  for (size_t number = 0; number < rows.size(); ++number) {
    const Row& row = rows[number];
    size_t end = row.size();
    while (end > 0 && is_undrawn(row[end - 1])) --end;
    if (end == 0) continue;
    text += fmt::format("\x1b[{}H", number + 1);
    for (size_t i = 0; i < end; ++i) {
      if (row[i].width == 0) continue;
      if (row[i].style != style) {
        style = row[i].style;
        text += sgr(style);
      }
      text += cell_text(row[i]);
    }
  }
  return text;
}

}  // namespace

std::string Screen::drawing() const {
  std::string text = "\x1b[!p\x1b[?69l\x1b[r\x1b[?7h\x1b[0m\x1b(B\x0f\x1b[H\x1b[2J";
  text += rows_text(lines());
  text += sgr(cursor_.style);
  text += fmt::format("\x1b[{};{}H\x1b[?7h\x1b[?25{}", cursor_.row + 1, cursor_.column + 1,
                      modes_.shows_cursor ? 'h' : 'l');
  if (modes_.is_reversed) text += "\x1b[?5h";
  return text;
}

// Brings a cursor to where `cursor` is, `row` and `column` counted from the origin in force.
std::string Screen::cursor_text(const Cursor& cursor, const std::vector<Row>& rows, uint32_t row,
                                uint32_t column) const {
  std::string text = fmt::format("\x1b[{};{}H", row + 1, column + 1);
  if (cursor.is_wrap_due && cursor.column + 1 == columns_) {
    // Only writing the last character makes the next one wrap.
    const Row& cells = rows[cursor.row];
    const uint32_t back = cells[cursor.column].width == 0 && cursor.column > 0 ? 1 : 0;
    const Cell& last = cells[cursor.column - back];
    if (back != 0) text += "\b";
    text += sgr(last.style) + cell_text(last);
  }
  text += sgr(cursor.style);
  constexpr std::string_view kDesignators = "()*+";
  for (size_t i = 0; i < cursor.sets.size(); ++i) text += fmt::format("\x1b{}{}", kDesignators[i], cursor.sets[i]);
  constexpr std::array<std::string_view, 4> kShifts = {"\x0f", "\x0e", "\x1bn", "\x1bo"};
  return text += kShifts[cursor.active_set];
}

// Both screens with the cursors saved on them. These come first: margins would be in their way.
std::string Screen::contents_text() const {
  const auto screen_text = [this](const std::vector<Row>& rows, const Cursor& saved) {
    std::string text = rows_text(rows);
    text += kPlain;
    if (saved.is_origin_relative) text += "\x1b[?6h";
    text += cursor_text(saved, rows, saved.row, saved.column) + "\0337";
    if (saved.is_origin_relative) text += "\x1b[?6l";
    return text += kPlain;
  };
  std::string text = screen_text(main_, saved_main_);
  text += "\x1b[?47h";
  text += screen_text(alternate_, saved_alternate_);
  if (!is_alternate_) text += "\x1b[?47l";
  return text;
}

std::string Screen::state_text() const {
  std::string text = contents_text();
  if (tabs_ != Screen(columns_, rows_).tabs_) {
    text += "\x1b[3g";
    for (uint32_t i = 0; i < columns_; ++i) {
      if (tabs_[i]) text += fmt::format("\x1b[1;{}H\x1bH", i + 1);
    }
  }
  if (top_ != 0 || bottom_ + 1 != rows_) text += fmt::format("\x1b[{};{}r", top_ + 1, bottom_ + 1);
  if (modes_.is_origin_relative) text += "\x1b[?6h";
  const uint32_t first_row = modes_.is_origin_relative ? top_ : 0;
  text += cursor_text(cursor_, lines(), cursor_.row - std::min(first_row, cursor_.row), cursor_.column);
  if (modes_.inserts) text += "\x1b[4h";
  if (!modes_.wraps) text += "\x1b[?7l";
  if (modes_.wraps_back) text += "\x1b[?45h";
  if (!modes_.shows_cursor) text += "\x1b[?25l";
  if (modes_.is_reversed) text += "\x1b[?5h";
  if (single_shift_ != 0) text += single_shift_ == 2 ? "\x1bN" : "\x1bO";
  return text;
}

}  // namespace cairn::recorder
