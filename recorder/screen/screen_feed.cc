// What the sequences do: ECMA-48 §8.3, DEC STD 070, and xterm where they leave it open.
#include <algorithm>
#include <utility>

#include "recorder/screen/screen.h"
#include "recorder/utf8.h"

namespace cairn::recorder {
namespace {

constexpr char kEsc = '\x1b';
constexpr unsigned kMaxRepeat = 9999;

// DEC special graphics, 0x60 to 0x7e.
constexpr std::u32string_view kGraphics = U"◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·";

char32_t decode(std::string_view bytes, size_t length) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (length == 2) return static_cast<char32_t>((at(0) & 0x1f) << 6 | (at(1) & 0x3f));
  if (length == 3) return static_cast<char32_t>((at(0) & 0x0f) << 12 | (at(1) & 0x3f) << 6 | (at(2) & 0x3f));
  return static_cast<char32_t>((at(0) & 0x07) << 18 | (at(1) & 0x3f) << 12 | (at(2) & 0x3f) << 6 | (at(3) & 0x3f));
}

bool is_printable(char c) { return c >= ' ' && c < 0x7f; }

}  // namespace

void Screen::feed(std::string_view text) {
  while (!text.empty()) {
    const char c = text[0];
    size_t used = 1;
    if (is_printable(c)) {
      while (used < text.size() && is_printable(text[used])) ++used;
      put_ascii(text.substr(0, used));
    } else if (c == kEsc) {
      used = take_escape(text);
    } else if (static_cast<unsigned char>(c) < ' ') {
      control(c);
    } else {
      const size_t length = utf8_length(static_cast<unsigned char>(c));
      if (length < 2 || length > text.size()) return;  // a filter lets nothing of the kind pass
      put(decode(text, length));
      used = length;
    }
    text.remove_prefix(std::min(used, text.size()));
  }
}

void Screen::control(char c) {
  switch (c) {
    case '\b':
      if (cursor_.column > 0 && cursor_.column != left()) {
        --cursor_.column;
      } else if (modes_.wraps_back && modes_.wraps && cursor_.row > top_) {
        --cursor_.row;
        cursor_.column = right();
      }
      cursor_.is_wrap_due = false;
      break;
    case '\t': next_tab(1); break;
    case '\n': line_feed(); break;
    case '\r':
      cursor_.column = cursor_.column >= left() ? left() : 0;
      cursor_.is_wrap_due = false;
      break;
    case '\x0e': cursor_.active_set = 1; break;
    case '\x0f': cursor_.active_set = 0; break;
    default: break;
  }
}

void Screen::put_ascii(std::string_view run) {
  const bool is_plain = cursor_.sets[cursor_.active_set] == 'B' && single_shift_ == 0 && !modes_.inserts;
  while (!run.empty()) {
    if (!is_plain || cursor_.is_wrap_due || single_shift_ != 0 || modes_.has_side_margins) {
      put(static_cast<unsigned char>(run[0]));
      run.remove_prefix(1);
      continue;
    }
    // As many as fit before the last column, whose writing makes a wrap due.
    const size_t count = std::min<size_t>(run.size(), columns_ - 1 - cursor_.column);
    if (count == 0) {
      put(static_cast<unsigned char>(run[0]));
      run.remove_prefix(1);
      continue;
    }
    split_before(cursor_.row, cursor_.column);
    split_before(cursor_.row, cursor_.column + static_cast<uint32_t>(count));
    Cell* cell = &lines()[cursor_.row][cursor_.column];
    for (size_t i = 0; i < count; ++i) {
      *cell++ = Cell{.character = static_cast<unsigned char>(run[i]), .mark = 0, .style = cursor_.style, .width = 1};
    }
    last_character_ = static_cast<unsigned char>(run[count - 1]);
    cursor_.column += static_cast<uint32_t>(count);
    run.remove_prefix(count);
  }
}

void Screen::put(char32_t character) {
  const uint8_t shift = std::exchange(single_shift_, 0);
  const uint8_t set = shift != 0 ? shift : cursor_.active_set;
  if (cursor_.sets[set] == '0' && character >= 0x60 && character <= 0x7e) character = kGraphics[character - 0x60];
  if (cursor_.sets[set] == 'A' && character == '#') character = U'£';
  const auto width = static_cast<uint32_t>(width_of(character));
  if (width == 0) {
    uint32_t column = cursor_.column;
    if (!cursor_.is_wrap_due && column > 0) --column;
    Row& cells = lines()[cursor_.row];
    if (cells[column].width == 0 && column > 0) --column;
    cells[column].mark = character;
    return;
  }
  last_character_ = character;
  const bool is_inside = cursor_.column <= right();
  const uint32_t most = is_inside ? right() : columns_ - 1;
  if (modes_.wraps && (cursor_.is_wrap_due || cursor_.column + width - 1 > most)) {
    // Not where a wide character found no room: what it left is no blank of the text.
    if (!modes_.has_side_margins && cursor_.is_wrap_due) lines()[cursor_.row].back().continues = true;
    line_feed();
    cursor_.column = is_inside ? left() : 0;
  }
  if (width > columns_ || cursor_.column + width > columns_) {
    if (width > columns_) return;
    cursor_.column = columns_ - width;
  }
  cursor_.is_wrap_due = false;
  if (modes_.inserts) insert_cells(cursor_.row, cursor_.column, width);
  split_before(cursor_.row, cursor_.column);
  split_before(cursor_.row, cursor_.column + width);
  Row& cells = lines()[cursor_.row];
  cells[cursor_.column] =
      Cell{.character = character, .mark = 0, .style = cursor_.style, .width = static_cast<uint8_t>(width)};
  if (width == 2) cells[cursor_.column + 1] = Cell{.character = ' ', .mark = 0, .style = cursor_.style, .width = 0};
  if (cursor_.column + width > most) {
    cursor_.column = most;
    cursor_.is_wrap_due = modes_.wraps;
  } else {
    cursor_.column += width;
  }
}

// Returns the length of the sequence that begins the text.
size_t Screen::take_escape(std::string_view text) {
  if (text.size() < 2) return text.size();
  const char c = text[1];
  if (c == '[') return take_csi(text);
  if (c >= ' ' && c <= '/') {
    size_t at = 1;
    while (at < text.size() && text[at] >= ' ' && text[at] <= '/') ++at;
    if (at >= text.size()) return text.size();
    const size_t set = std::string_view("()*+").find(c);
    if (set != std::string_view::npos) cursor_.sets[set] = text[at];
    if (c == '#' && text[at] == '8') fill_with_e();
    return at + 1;
  }
  switch (c) {
    case '7': save_cursor(); break;
    case '8': restore_cursor(); break;
    case 'D': line_feed(); break;
    case 'E':
      line_feed();
      cursor_.column = left();
      break;
    case 'H': tabs_[cursor_.column] = true; break;
    case 'M': reverse_line_feed(); break;
    case 'N': single_shift_ = 2; break;
    case 'O': single_shift_ = 3; break;
    case 'n': cursor_.active_set = 2; break;
    case 'o': cursor_.active_set = 3; break;
    default: break;  // GR sets have no characters in UTF-8
  }
  return 2;
}

size_t Screen::take_csi(std::string_view text) {
  Sequence sequence;
  size_t at = 2;
  if (at < text.size() && text[at] >= '<' && text[at] <= '?') sequence.prefix = text[at++];
  sequence.values.push_back(0);
  sequence.is_sub.push_back(false);
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c >= '0' && c <= '9') {
      sequence.values.back() = std::min(sequence.values.back() * 10 + static_cast<unsigned>(c - '0'), kMaxRepeat);
    } else if (c == ';' || c == ':') {
      sequence.values.push_back(0);
      sequence.is_sub.push_back(c == ':');
    } else if (c >= ' ' && c <= '/') {
      sequence.intermediate = c;
    } else {
      sequence.final = c;
      apply(sequence);
      return at + 1;
    }
  }
  return text.size();
}

void Screen::apply(const Sequence& sequence) {
  if (sequence.intermediate != 0) return apply_with_intermediate(sequence);
  switch (sequence.final) {
    case 'h': return set_modes(sequence, true);
    case 'l': return set_modes(sequence, false);
    case 'm': return set_style(sequence);
    case '@':
    case 'J':
    case 'K':
    case 'L':
    case 'M':
    case 'P':
    case 'S':
    case 'T':
    case 'X':
    case 'b': return apply_editing(sequence);
    default: return apply_moves(sequence);
  }
}

void Screen::apply_with_intermediate(const Sequence& sequence) {
  const unsigned count = sequence.at(0, 1);
  if (sequence.intermediate == '!' && sequence.final == 'p') return soft_reset();
  const bool shifts = sequence.intermediate == ' ' && (sequence.final == '@' || sequence.final == 'A');
  const bool edits_columns = sequence.intermediate == '\'' && (sequence.final == '}' || sequence.final == '~');
  if (!shifts && !edits_columns) return;
  if (edits_columns && !is_inside_margins()) return;
  const uint32_t column = shifts ? left() : cursor_.column;
  const bool deletes = sequence.final == '@' || sequence.final == '~';
  for (uint32_t row = top_; row <= bottom_; ++row) {
    deletes ? delete_cells(row, column, count) : insert_cells(row, column, count);
  }
}

void Screen::apply_editing(const Sequence& sequence) {
  const unsigned count = sequence.at(0, 1);
  switch (sequence.final) {
    case '@': insert_cells(cursor_.row, cursor_.column, count); break;
    case 'P': delete_cells(cursor_.row, cursor_.column, count); break;
    case 'X':
      erase(cursor_.row, cursor_.column, cursor_.column + std::min(count, columns_) - 1);
      cursor_.is_wrap_due = false;
      break;
    case 'J': erase_display(sequence.values[0]); break;
    case 'K': erase_line(sequence.values[0]); break;
    case 'L':
      if (!is_inside_margins()) break;
      scroll_down(cursor_.row, bottom_, count);
      cursor_.column = left();
      cursor_.is_wrap_due = false;
      break;
    case 'M':
      if (!is_inside_margins()) break;
      {
        // What is deleted was not scrolled away.
        auto use = std::exchange(watcher_.scrolled, nullptr);
        scroll_up(cursor_.row, bottom_, count);
        watcher_.scrolled = std::move(use);
      }
      cursor_.column = left();
      cursor_.is_wrap_due = false;
      break;
    case 'S': scroll_up(top_, bottom_, count); break;
    case 'T': scroll_down(top_, bottom_, count); break;
    case 'b':
      if (last_character_ == 0) break;
      // More than fills the screen changes nothing more.
      for (unsigned i = std::min(count, columns_ * (rows_ + 1)); i-- > 0;) put(char32_t{last_character_});
      break;
    default: break;
  }
}

void Screen::apply_moves(const Sequence& sequence) {
  const auto count = static_cast<int64_t>(sequence.at(0, 1));
  const int64_t column = cursor_.column;
  const int64_t row = cursor_.row;
  const auto up = [&] {
    const int64_t least = cursor_.row >= top_ ? top_ : 0;
    cursor_.row = static_cast<uint32_t>(std::max(row - count, least));
  };
  const auto down = [&] {
    const int64_t most = cursor_.row <= bottom_ ? bottom_ : rows_ - 1;
    cursor_.row = static_cast<uint32_t>(std::min(row + count, most));
  };
  const bool is_absolute = std::string_view("GHdf`").find(sequence.final) != std::string_view::npos;
  const int64_t from_column = modes_.is_origin_relative ? column - left() : column;
  const int64_t from_row = modes_.is_origin_relative ? row - top_ : row;
  if (!is_absolute && sequence.final != 'g') cursor_.is_wrap_due = false;
  switch (sequence.final) {
    case 'A': up(); break;
    case 'B':
    case 'e': down(); break;
    case 'C':
    case 'a':
      cursor_.column =
          static_cast<uint32_t>(std::min<int64_t>(column + count, column <= right() ? right() : columns_ - 1));
      break;
    case 'D':
      cursor_.column = static_cast<uint32_t>(std::max<int64_t>(column - count, column >= left() ? left() : 0));
      break;
    case 'E':
      down();
      cursor_.column = left();
      break;
    case 'F':
      up();
      cursor_.column = left();
      break;
    case 'G':
    case '`': move_to(count - 1, from_row); break;
    case 'd': move_to(from_column, count - 1); break;
    case 'H':
    case 'f': move_to(static_cast<int64_t>(sequence.at(1, 1)) - 1, count - 1); break;
    case 'I': next_tab(sequence.at(0, 1)); break;
    case 'Z': previous_tab(sequence.at(0, 1)); break;
    case 'g':
      if (sequence.values[0] == 0) tabs_[cursor_.column] = false;
      if (sequence.values[0] == 3) tabs_.assign(columns_, false);
      break;
    case 'r': {
      const uint32_t top = sequence.at(0, 1) - 1;
      const uint32_t bottom = std::min(sequence.at(1, rows_), rows_) - 1;
      if (top >= bottom) break;
      top_ = top;
      bottom_ = bottom;
      move_to(0, 0);
      break;
    }
    case 's':
      if (!modes_.has_side_margins) {
        save_cursor();
        break;
      }
      if (const uint32_t left = sequence.at(0, 1) - 1, right = std::min(sequence.at(1, columns_), columns_) - 1;
          left < right) {
        left_ = left;
        right_ = right;
        move_to(0, 0);
      }
      break;
    case 'u': restore_cursor(); break;
    default: break;
  }
}

void Screen::set_modes(const Sequence& sequence, bool on) {
  for (const unsigned mode : sequence.values) {
    if (sequence.prefix == '?') set_private_mode(mode, on);
    if (sequence.prefix == 0 && mode == 4) modes_.inserts = on;
  }
}

void Screen::set_private_mode(unsigned mode, bool on) {
  switch (mode) {
    case 5: modes_.is_reversed = on; break;
    case 6:
      modes_.is_origin_relative = on;
      move_to(0, 0);
      break;
    case 7:
      modes_.wraps = on;
      if (!on) cursor_.is_wrap_due = false;
      break;
    case 25: modes_.shows_cursor = on; break;
    case 45: modes_.wraps_back = on; break;
    case 69:
      modes_.has_side_margins = on;
      left_ = 0;
      right_ = columns_ - 1;
      break;
    case 47: use_alternate(on); break;
    case 1047:
      if (!on && is_alternate_) {
        for (Row& row : alternate_) row = blank_row();
      }
      use_alternate(on);
      break;
    case 1048: on ? save_cursor() : restore_cursor(); break;
    case 1049:
      if (on == is_alternate_) break;
      if (on) {
        save_cursor();
        use_alternate(true);
        for (Row& row : alternate_) row = blank_row();
      } else {
        use_alternate(false);
        restore_cursor();
      }
      break;
    default: break;
  }
}

// ---- SGR

// 38;5;n, 38;2;r;g;b and their forms with colons. Returns how many values were taken behind `at`.
size_t Screen::set_colour(const Sequence& sequence, size_t at, uint32_t& colour) {
  const auto value = [&](size_t i) { return i < sequence.values.size() ? sequence.values[i] : 0; };
  const bool has_colons = at + 1 < sequence.is_sub.size() && sequence.is_sub[at + 1];
  size_t subs = 0;
  while (has_colons && at + 1 + subs < sequence.is_sub.size() && sequence.is_sub[at + 1 + subs]) ++subs;
  if (value(at + 1) == 5) {
    if (value(at + 2) < 256) colour = Style::kPalette + value(at + 2);
    return has_colons ? subs : 2;
  }
  if (value(at + 1) != 2) return has_colons ? subs : 1;
  // With colons a colour space may stand between.
  const size_t red = has_colons && subs >= 5 ? at + 3 : at + 2;
  const auto part = [&](size_t i) { return std::min(value(i), 255U); };
  colour = Style::kDirect + (part(red) << 16 | part(red + 1) << 8 | part(red + 2));
  return has_colons ? subs : 4;
}

void Screen::set_style(const Sequence& sequence) {
  Style& style = cursor_.style;
  const auto set = [&style](uint16_t flag, bool on) {
    style.flags = static_cast<uint16_t>(on ? style.flags | flag : style.flags & ~flag);
  };
  for (size_t i = 0; i < sequence.values.size(); ++i) {
    const unsigned value = sequence.values[i];
    if (sequence.is_sub[i]) continue;
    switch (value) {
      case 0: style = Style(); break;
      case 1: set(Style::kBold, true); break;
      case 2: set(Style::kFaint, true); break;
      case 3: set(Style::kItalic, true); break;
      case 4:
        set(Style::kUnderline,
            i + 1 >= sequence.values.size() || !sequence.is_sub[i + 1] || sequence.values[i + 1] != 0);
        break;
      case 5:
      case 6: set(Style::kBlink, true); break;
      case 7: set(Style::kInverse, true); break;
      case 8: set(Style::kHidden, true); break;
      case 9: set(Style::kStruck, true); break;
      case 21: set(Style::kUnderline, true); break;
      case 22: set(Style::kBold | Style::kFaint, false); break;
      case 23: set(Style::kItalic, false); break;
      case 24: set(Style::kUnderline, false); break;
      case 25: set(Style::kBlink, false); break;
      case 27: set(Style::kInverse, false); break;
      case 28: set(Style::kHidden, false); break;
      case 29: set(Style::kStruck, false); break;
      case 38: i += set_colour(sequence, i, style.foreground); break;
      case 39: style.foreground = 0; break;
      case 48: i += set_colour(sequence, i, style.background); break;
      case 49: style.background = 0; break;
      default:
        if (value >= 30 && value <= 37) style.foreground = Style::kPalette + value - 30;
        if (value >= 40 && value <= 47) style.background = Style::kPalette + value - 40;
        if (value >= 90 && value <= 97) style.foreground = Style::kPalette + value - 90 + 8;
        if (value >= 100 && value <= 107) style.background = Style::kPalette + value - 100 + 8;
    }
  }
}

}  // namespace cairn::recorder
