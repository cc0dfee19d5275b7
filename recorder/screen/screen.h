#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recorder/screen/cell.h"

namespace cairn::recorder {

// What a terminal shows. Takes what TerminalFilter passes and nothing else: whole sequences of a closed list, in UTF-8,
// so that nothing can surprise it. After ECMA-48, DEC's manuals and xterm. Everything that the future of the screen
// depends on is in it and can be saved and restored, which libvterm 0.1 cannot: so a player may begin anywhere.
// One thread at a time.
class Screen {
 public:
  static constexpr uint32_t kMaxColumns = 1000;
  static constexpr uint32_t kMaxRows = 500;

  // Sizes beyond the limits are cut to them, 0 is 80 and 24.
  Screen(uint32_t columns, uint32_t rows);

  // Text as TerminalFilter gives it.
  void feed(std::string_view filtered);
  // What is beyond the new size is gone; nothing is wrapped anew.
  void resize(uint32_t columns, uint32_t rows);

  // Who keeps what was seen is told what is about to be seen no more.
  struct Watcher {
    std::function<void(const Row&)> scrolled;  // each row that leaves the main screen at its top, oldest first
    std::function<void()> replaced;            // much of it at once: erased, another size, the other screen
  };
  void watch(Watcher watcher) { watcher_ = std::move(watcher); }

  uint32_t columns() const { return columns_; }
  uint32_t rows() const { return rows_; }
  const Row& row(uint32_t number) const { return lines()[number]; }
  uint32_t cursor_column() const { return cursor_.column; }
  uint32_t cursor_row() const { return cursor_.row; }
  bool is_cursor_shown() const { return modes_.shows_cursor; }
  bool is_alternate() const { return is_alternate_; }
  bool has_side_margins() const { return modes_.has_side_margins; }
  // The row's text, UTF-8, without the blanks at its end unless it continues in the row below.
  static std::string text_of(const Row& row);

  // All of its state, and back.
  std::string save() const;
  //   fails  kCorrupt: the bytes are no saved screen
  static Result<Screen> restore(std::string_view saved);
  // What brings a terminal of this size to show the same, whatever it showed before: for eyes, not for state.
  std::string drawing() const;
  // What brings a terminal of this size that was just reset into this state: both screens, modes, upper and lower
  // margin, tabs, character sets and saved cursors, so that whatever follows is drawn as it would be here. Left out:
  // side margins, which many terminals do not know, and so a wrap that is due elsewhere than at the end of a row; the
  // last character, which CSI b repeats; a cursor outside the margins in origin mode stands at their edge.
  std::string state_text() const;

  bool operator==(const Screen& other) const;

 private:
  struct Modes {
    bool wraps = true;
    bool is_origin_relative = false;
    bool inserts = false;
    bool is_reversed = false;
    bool shows_cursor = true;
    bool wraps_back = false;
    bool has_side_margins = false;
    bool operator==(const Modes&) const = default;
  };
  struct Cursor {
    uint32_t column = 0;
    uint32_t row = 0;
    bool is_wrap_due = false;  // the last column was written: the next character begins the next line
    Style style;
    std::array<char, 4> sets = {'B', 'B', 'B', 'B'};  // G0..G3
    uint8_t active_set = 0;
    bool is_origin_relative = false;  // of a saved one
    bool operator==(const Cursor&) const = default;
  };
  struct Sequence {
    char prefix = 0;
    char intermediate = 0;
    char final = 0;
    std::vector<unsigned> values;  // at least one; absent: 0
    std::vector<bool> is_sub;      // it follows a colon
    unsigned at(size_t i, unsigned otherwise) const {
      return i < values.size() && values[i] != 0 ? values[i] : otherwise;
    }
  };

  std::vector<Row>& lines() { return is_alternate_ ? alternate_ : main_; }
  const std::vector<Row>& lines() const { return is_alternate_ ? alternate_ : main_; }
  Row blank_row() const;
  Cell blank() const;

  std::string cursor_text(const Cursor& cursor, const std::vector<Row>& rows, uint32_t row, uint32_t column) const;
  std::string contents_text() const;

  size_t take_escape(std::string_view text);
  size_t take_csi(std::string_view text);
  void control(char c);
  void put(char32_t character);
  void put_ascii(std::string_view run);
  void apply(const Sequence& sequence);
  void apply_with_intermediate(const Sequence& sequence);
  void apply_editing(const Sequence& sequence);
  void apply_moves(const Sequence& sequence);
  void set_modes(const Sequence& sequence, bool on);
  void set_private_mode(unsigned mode, bool on);
  void set_style(const Sequence& sequence);
  size_t set_colour(const Sequence& sequence, size_t at, uint32_t& colour);
  void soft_reset();

  uint32_t left() const { return modes_.has_side_margins ? left_ : 0; }
  uint32_t right() const { return modes_.has_side_margins ? right_ : columns_ - 1; }
  bool is_inside_margins() const;
  void move_to(int64_t column, int64_t row);
  void line_feed();
  void reverse_line_feed();
  void next_tab(unsigned count);
  void previous_tab(unsigned count);
  void scroll_up(uint32_t top, uint32_t bottom, unsigned count);
  void scroll_down(uint32_t top, uint32_t bottom, unsigned count);
  void insert_cells(uint32_t row, uint32_t column, unsigned count);
  void delete_cells(uint32_t row, uint32_t column, unsigned count);
  void erase(uint32_t row, uint32_t from, uint32_t to);
  void split_before(uint32_t row, uint32_t column);
  void split_at_margins(uint32_t top, uint32_t bottom);
  void erase_display(unsigned how);
  void erase_line(unsigned how);
  void use_alternate(bool on);
  void save_cursor();
  void restore_cursor();
  void fill_with_e();

  uint32_t columns_;
  uint32_t rows_;
  std::vector<Row> main_;
  std::vector<Row> alternate_;
  bool is_alternate_ = false;
  Cursor cursor_;
  Cursor saved_main_;
  Cursor saved_alternate_;
  Modes modes_;
  uint32_t top_ = 0;
  uint32_t bottom_;
  uint32_t left_ = 0;
  uint32_t right_;
  std::vector<bool> tabs_;
  uint8_t single_shift_ = 0;  // the set of the next character alone
  char32_t last_character_ = 0;
  Watcher watcher_;  // belongs to who set it: neither saved nor compared
};

}  // namespace cairn::recorder
