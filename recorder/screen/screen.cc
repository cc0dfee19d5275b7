#include "recorder/screen/screen.h"

#include <algorithm>
#include <utility>

#include "recorder/utf8.h"

namespace cairn::recorder {
namespace {

constexpr uint32_t kDefaultColumns = 80;
constexpr uint32_t kDefaultRows = 24;
constexpr uint32_t kTabColumns = 8;

uint32_t within(uint32_t wanted, uint32_t otherwise, uint32_t most) {
  return wanted == 0 ? otherwise : std::min(wanted, most);
}

std::vector<bool> default_tabs(uint32_t columns) {
  std::vector<bool> tabs(columns);
  for (uint32_t i = 0; i < columns; i += kTabColumns) tabs[i] = true;
  return tabs;
}

}  // namespace

Screen::Screen(uint32_t columns, uint32_t rows)
    : columns_(within(columns, kDefaultColumns, kMaxColumns)),
      rows_(within(rows, kDefaultRows, kMaxRows)),
      bottom_(rows_ - 1),
      right_(columns_ - 1),
      tabs_(default_tabs(columns_)) {
  main_.assign(rows_, Row(columns_));
  alternate_ = main_;
}

// What is erased has the background of now (xterm's "back colour erase").
Cell Screen::blank() const {
  Cell cell;
  cell.style.background = cursor_.style.background;
  return cell;
}

Row Screen::blank_row() const { return Row(columns_, blank()); }

void Screen::resize(uint32_t columns, uint32_t rows) {
  const uint32_t new_columns = within(columns, columns_, kMaxColumns);
  const uint32_t new_rows = within(rows, rows_, kMaxRows);
  if (new_columns == columns_ && new_rows == rows_) return;
  if (watcher_.replaced) watcher_.replaced();
  for (std::vector<Row>* lines : {&main_, &alternate_}) {
    const bool is_shown = lines == &this->lines();
    // The cursor's line stays: lines above it go, when there is no room for it.
    if (is_shown && cursor_.row >= new_rows) {
      const auto gone = static_cast<std::ptrdiff_t>(cursor_.row - new_rows + 1);
      lines->erase(lines->begin(), lines->begin() + gone);
    }
    lines->resize(new_rows);
    for (Row& row : *lines) {
      row.resize(new_columns);
      // Half of a wide character is none.
      if (row.back().width == 2) row.back() = Cell();
    }
  }
  if (cursor_.row >= new_rows) cursor_.row = new_rows - 1;
  tabs_.resize(new_columns);
  for (uint32_t i = columns_; i < new_columns; ++i) tabs_[i] = i % kTabColumns == 0;
  columns_ = new_columns;
  rows_ = new_rows;
  top_ = left_ = 0;
  bottom_ = rows_ - 1;
  right_ = columns_ - 1;
  for (Cursor* cursor : {&cursor_, &saved_main_, &saved_alternate_}) {
    cursor->column = std::min(cursor->column, columns_ - 1);
    cursor->row = std::min(cursor->row, rows_ - 1);
    cursor->is_wrap_due = false;
  }
}

// ---- moving

bool Screen::is_inside_margins() const {
  return cursor_.row >= top_ && cursor_.row <= bottom_ && cursor_.column >= left() && cursor_.column <= right();
}

// Counted from the region's corner in origin mode, and kept inside it.
void Screen::move_to(int64_t column, int64_t row) {
  int64_t least_column = 0;
  int64_t most_column = columns_ - 1;
  int64_t least_row = 0;
  int64_t most_row = rows_ - 1;
  if (modes_.is_origin_relative) {
    least_column = left();
    most_column = right();
    least_row = top_;
    most_row = bottom_;
    column += least_column;
    row += least_row;
  }
  cursor_.column = static_cast<uint32_t>(std::clamp(column, least_column, most_column));
  cursor_.row = static_cast<uint32_t>(std::clamp(row, least_row, most_row));
  cursor_.is_wrap_due = false;
}

void Screen::line_feed() {
  cursor_.is_wrap_due = false;
  if (cursor_.row == bottom_) {
    if (cursor_.column >= left() && cursor_.column <= right()) scroll_up(top_, bottom_, 1);
  } else if (cursor_.row + 1 < rows_) {
    ++cursor_.row;
  }
}

void Screen::reverse_line_feed() {
  cursor_.is_wrap_due = false;
  if (cursor_.row == top_) {
    if (cursor_.column >= left() && cursor_.column <= right()) scroll_down(top_, bottom_, 1);
  } else if (cursor_.row > 0) {
    --cursor_.row;
  }
}

void Screen::next_tab(unsigned count) {
  const uint32_t most = cursor_.column <= right() ? right() : columns_ - 1;
  while (count-- > 0 && cursor_.column < most) {
    do ++cursor_.column;
    while (cursor_.column < most && !tabs_[cursor_.column]);
  }
  cursor_.is_wrap_due = false;
}

void Screen::previous_tab(unsigned count) {
  while (count-- > 0 && cursor_.column > 0) {
    do --cursor_.column;
    while (cursor_.column > 0 && !tabs_[cursor_.column]);
  }
  cursor_.is_wrap_due = false;
}

// ---- editing; all within the side margins, where there are any

void Screen::scroll_up(uint32_t top, uint32_t bottom, unsigned count) {
  count = std::min(count, bottom - top + 1);
  std::vector<Row>& rows = lines();
  const auto begin = rows.begin() + top;
  const auto end = rows.begin() + bottom + 1;
  if (left() == 0 && right() == columns_ - 1) {
    if (watcher_.scrolled && !is_alternate_ && top == 0) std::for_each(begin, begin + count, watcher_.scrolled);
    std::rotate(begin, begin + count, end);
    for (auto row = end - count; row != end; ++row) row->assign(columns_, blank());
    return;
  }
  split_at_margins(top, bottom);
  for (uint32_t row = top; row <= bottom; ++row) {
    if (row + count <= bottom) {
      std::copy(rows[row + count].begin() + left(), rows[row + count].begin() + right() + 1,
                rows[row].begin() + left());
    } else {
      erase(row, left(), right());
    }
  }
}

void Screen::scroll_down(uint32_t top, uint32_t bottom, unsigned count) {
  count = std::min(count, bottom - top + 1);
  std::vector<Row>& rows = lines();
  if (left() == 0 && right() == columns_ - 1) {
    const auto begin = rows.begin() + top;
    const auto end = rows.begin() + bottom + 1;
    std::rotate(begin, end - count, end);
    for (auto row = begin; row != begin + count; ++row) row->assign(columns_, blank());
    return;
  }
  split_at_margins(top, bottom);
  for (uint32_t row = bottom + 1; row-- > top;) {
    if (row >= top + count) {
      std::copy(rows[row - count].begin() + left(), rows[row - count].begin() + right() + 1,
                rows[row].begin() + left());
    } else {
      erase(row, left(), right());
    }
  }
}

// A wide character that a change begins or ends inside is gone: both halves are blank.
void Screen::split_before(uint32_t row, uint32_t column) {
  Row& cells = lines()[row];
  if (column == 0 || column >= cells.size() || cells[column].width != 0) return;
  for (Cell* half : {&cells[column - 1], &cells[column]}) {
    half->character = ' ';
    half->mark = 0;
    half->width = 1;
  }
}

void Screen::split_at_margins(uint32_t top, uint32_t bottom) {
  for (uint32_t row = top; row <= bottom; ++row) {
    split_before(row, left());
    split_before(row, right() + 1);
  }
}

void Screen::erase(uint32_t row, uint32_t from, uint32_t to) {
  if (from > to || from >= columns_) return;
  to = std::min(to, columns_ - 1);
  split_before(row, from);
  split_before(row, to + 1);
  Row& cells = lines()[row];
  std::fill(cells.begin() + from, cells.begin() + to + 1, blank());
}

void Screen::insert_cells(uint32_t row, uint32_t column, unsigned count) {
  const uint32_t end = right() + 1;
  if (column < left() || column >= end) return;
  count = std::min(count, end - column);
  split_before(row, column);
  split_before(row, end);
  Row& cells = lines()[row];
  std::move_backward(cells.begin() + column, cells.begin() + end - count, cells.begin() + end);
  std::fill(cells.begin() + column, cells.begin() + column + count, blank());
  if (cells[end - 1].width == 2) cells[end - 1] = blank();
}

void Screen::delete_cells(uint32_t row, uint32_t column, unsigned count) {
  const uint32_t end = right() + 1;
  if (column < left() || column >= end) return;
  count = std::min(count, end - column);
  split_before(row, column);
  split_before(row, column + count);
  split_before(row, end);
  Row& cells = lines()[row];
  std::move(cells.begin() + column + count, cells.begin() + end, cells.begin() + column);
  std::fill(cells.begin() + end - count, cells.begin() + end, blank());
}

void Screen::erase_display(unsigned how) {
  if (watcher_.replaced) watcher_.replaced();
  if (how == 0) {
    erase(cursor_.row, cursor_.column, columns_ - 1);
    for (uint32_t row = cursor_.row + 1; row < rows_; ++row) lines()[row] = blank_row();
  } else if (how == 1) {
    for (uint32_t row = 0; row < cursor_.row; ++row) lines()[row] = blank_row();
    erase(cursor_.row, 0, cursor_.column);
  } else if (how == 2) {
    for (Row& row : lines()) row = blank_row();
  }
  cursor_.is_wrap_due = false;
}

void Screen::erase_line(unsigned how) {
  if (how == 0) erase(cursor_.row, cursor_.column, columns_ - 1);
  if (how == 1) erase(cursor_.row, 0, cursor_.column);
  if (how == 2) erase(cursor_.row, 0, columns_ - 1);
  cursor_.is_wrap_due = false;
}

void Screen::fill_with_e() {
  Cell cell;
  cell.character = 'E';
  for (Row& row : lines()) row.assign(columns_, cell);
  top_ = left_ = 0;
  bottom_ = rows_ - 1;
  right_ = columns_ - 1;
  move_to(0, 0);
}

// ---- states

void Screen::use_alternate(bool on) {
  if (on == is_alternate_) return;
  if (watcher_.replaced) watcher_.replaced();
  is_alternate_ = on;
  cursor_.is_wrap_due = false;
}

void Screen::save_cursor() {
  Cursor& saved = is_alternate_ ? saved_alternate_ : saved_main_;
  saved = cursor_;
  saved.is_origin_relative = modes_.is_origin_relative;
}

void Screen::restore_cursor() {
  cursor_ = is_alternate_ ? saved_alternate_ : saved_main_;
  modes_.is_origin_relative = cursor_.is_origin_relative;
  cursor_.is_origin_relative = false;
  cursor_.column = std::min(cursor_.column, columns_ - 1);
  cursor_.row = std::min(cursor_.row, rows_ - 1);
}

void Screen::soft_reset() {
  modes_ = Modes{.is_reversed = modes_.is_reversed};
  top_ = left_ = 0;
  bottom_ = rows_ - 1;
  right_ = columns_ - 1;
  cursor_.style = Style();
  cursor_.sets = {'B', 'B', 'B', 'B'};
  cursor_.active_set = 0;
  cursor_.is_wrap_due = false;
  single_shift_ = 0;
  saved_main_ = saved_alternate_ = Cursor();
}

std::string Screen::text_of(const Row& row) {
  std::string text;
  size_t end = row.size();
  while (end > 0 && !row[end - 1].continues && row[end - 1].character == ' ' && row[end - 1].mark == 0) --end;
  for (size_t i = 0; i < end; ++i) {
    if (row[i].width == 0) continue;
    append_utf8(text, row[i].character);
    if (row[i].mark != 0) append_utf8(text, row[i].mark);
  }
  return text;
}

bool Screen::operator==(const Screen& other) const { return save() == other.save(); }

}  // namespace cairn::recorder
