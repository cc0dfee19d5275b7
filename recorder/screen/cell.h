#pragma once

#include <cstdint>
#include <vector>

namespace cairn::recorder {

// How a character is drawn. A colour: 0 is the terminal's own; 0x01000000 + n one of the palette's 256; 0x02rrggbb one
// of all.
struct Style {
  enum : uint16_t {
    kBold = 1,
    kFaint = 2,
    kItalic = 4,
    kUnderline = 8,
    kBlink = 16,
    kInverse = 32,
    kHidden = 64,
    kStruck = 128,
  };
  static constexpr uint32_t kPalette = 0x01000000;
  static constexpr uint32_t kDirect = 0x02000000;

  uint32_t foreground = 0;
  uint32_t background = 0;
  uint16_t flags = 0;

  bool operator==(const Style&) const = default;
};

// One place on the screen.
struct Cell {
  char32_t character = ' ';
  char32_t mark = 0;  // one combining character over it
  Style style;
  uint8_t width = 1;       // 2: it reaches into the next place, whose width is 0
  bool continues = false;  // of a row's last place: the line was too long and goes on in the row below

  bool operator==(const Cell&) const = default;
};

using Row = std::vector<Cell>;

// Places that a character takes: 0 when it joins the one before, 1 or 2. Unicode 15, East Asian Width W and F.
int width_of(char32_t character);

}  // namespace cairn::recorder
