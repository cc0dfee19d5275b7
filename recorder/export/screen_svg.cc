#include "recorder/export/screen_svg.h"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "recorder/utf8.h"

namespace cairn::recorder {
namespace {

// Pixels of a place.
constexpr uint32_t kWidth = 8;
constexpr uint32_t kHeight = 17;
constexpr uint32_t kBaseline = 13;

constexpr uint32_t kForeground = 0xd8d8d8;
constexpr uint32_t kBackground = 0x181818;
// xterm's first sixteen.
constexpr std::array<uint32_t, 16> kPalette = {0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd,
                                               0x00cdcd, 0xe5e5e5, 0x7f7f7f, 0xff0000, 0x00ff00, 0xffff00,
                                               0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff};

// Of xterm's 256: sixteen, a cube of six steps each way, 24 greys.
uint32_t palette_color(uint32_t number) {
  if (number < kPalette.size()) return kPalette[number];
  if (number >= 232) return (8 + (number - 232) * 10) * 0x010101;
  const auto step = [](uint32_t value) { return value == 0 ? 0 : 55 + value * 40; };
  const uint32_t place = number - 16;
  return step(place / 36) << 16 | step(place / 6 % 6) << 8 | step(place % 6);
}

uint32_t color(uint32_t value, uint32_t own) {
  if ((value & Style::kDirect) != 0) return value & 0xffffff;
  if ((value & Style::kPalette) != 0) return palette_color(value & 0xff);
  return own;
}

struct Colors {
  uint32_t foreground;
  uint32_t background;
};

Colors colors_of(const Style& style) {
  Colors colors{color(style.foreground, kForeground), color(style.background, kBackground)};
  if ((style.flags & Style::kInverse) != 0) std::swap(colors.foreground, colors.background);
  if ((style.flags & Style::kHidden) != 0) colors.foreground = colors.background;
  return colors;
}

void append_escaped(std::string& text, char32_t character) {
  switch (character) {
    case '&': text += "&amp;"; return;
    case '<': text += "&lt;"; return;
    case '>': text += "&gt;"; return;
    default: append_utf8(text, character);
  }
}

std::string attributes_of(const Style& style) {
  std::string text;
  if ((style.flags & Style::kBold) != 0) text += " font-weight=\"bold\"";
  if ((style.flags & Style::kItalic) != 0) text += " font-style=\"italic\"";
  if ((style.flags & Style::kFaint) != 0) text += " opacity=\"0.6\"";
  if ((style.flags & Style::kUnderline) != 0) text += " text-decoration=\"underline\"";
  if ((style.flags & Style::kStruck) != 0) text += " text-decoration=\"line-through\"";
  return text;
}

// The places from `begin` on that look alike; blanks without a colour of their own need no drawing.
void draw_run(std::string& svg, const Row& row, uint32_t row_number, size_t begin, size_t end) {
  const Style& style = row[begin].style;
  const Colors colors = colors_of(style);
  const uint32_t top = row_number * kHeight;
  const size_t width = (end - begin) * kWidth;
  if (colors.background != kBackground)
    svg += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"#{:06x}\"/>\n", begin * kWidth, top,
                       width, kHeight, colors.background);
  std::string text;
  bool is_blank = true;
  for (size_t place = begin; place < end; ++place) {
    if (row[place].width == 0) continue;
    is_blank = is_blank && row[place].character == ' ' && row[place].mark == 0;
    append_escaped(text, row[place].character);
    if (row[place].mark != 0) append_escaped(text, row[place].mark);
  }
  if (is_blank && (style.flags & (Style::kUnderline | Style::kStruck)) == 0) return;
  svg += fmt::format(
      "<text x=\"{}\" y=\"{}\" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"#{:06x}\"{}>{}</text>\n",
      begin * kWidth, top + kBaseline, width, colors.foreground, attributes_of(style), text);
}

}  // namespace

std::string svg_of(const Screen& screen) {
  const uint32_t width = screen.columns() * kWidth;
  const uint32_t height = screen.rows() * kHeight;
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" font-size=\"13\" "
      "font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" xml:space=\"preserve\">\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"#{2:06x}\"/>\n",
      width, height, kBackground);
  for (uint32_t number = 0; number < screen.rows(); ++number) {
    const Row& row = screen.row(number);
    for (size_t begin = 0; begin < row.size();) {
      size_t end = begin + 1;
      while (end < row.size() && (row[end].width == 0 || row[end].style == row[begin].style)) ++end;
      draw_run(svg, row, number, begin, end);
      begin = end;
    }
  }
  if (screen.is_cursor_shown())
    svg += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"#{:06x}\" opacity=\"0.5\"/>\n",
                       screen.cursor_column() * kWidth, screen.cursor_row() * kHeight, kWidth, kHeight, kForeground);
  return svg + "</svg>\n";
}

}  // namespace cairn::recorder
