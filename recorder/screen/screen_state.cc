// Saving and restoring a screen.
#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "proto/screen.pb.h"
#include "recorder/screen/screen.h"

namespace cairn::recorder {
namespace {

using screen::v1::SavedLines;
using screen::v1::SavedScreen;

constexpr uint32_t kMaxStyles = Screen::kMaxColumns * Screen::kMaxRows;

// Five numbers for a run of equal cells: how many, character, mark, width, style's place.
constexpr int kNumbersOfRun = 5;
// Added to the width of a cell that continues in the row below.
constexpr uint32_t kContinues = 4;

class Styles {
 public:
  uint32_t place_of(const Style& style, SavedScreen& saved) {
    const auto [found, is_new] = places_.try_emplace(std::tuple(style.foreground, style.background, style.flags),
                                                     static_cast<uint32_t>(places_.size()));
    if (is_new) {
      saved.add_styles(style.foreground);
      saved.add_styles(style.background);
      saved.add_styles(style.flags);
    }
    return found->second;
  }

 private:
  std::map<std::tuple<uint32_t, uint32_t, uint16_t>, uint32_t> places_;
};

bool style_at(const SavedScreen& saved, uint32_t place, Style& style) {
  if (place >= kMaxStyles || static_cast<int>(place) * 3 + 2 >= saved.styles_size()) return false;
  const int at = static_cast<int>(place) * 3;
  style = {saved.styles(at), saved.styles(at + 1), static_cast<uint16_t>(saved.styles(at + 2))};
  return true;
}

void save_lines(const std::vector<Row>& lines, Styles& styles, SavedScreen& saved, SavedLines& into) {
  for (const Row& row : lines) {
    for (size_t at = 0; at < row.size();) {
      size_t end = at + 1;
      while (end < row.size() && row[end] == row[at]) ++end;
      into.add_runs(static_cast<uint32_t>(end - at));
      into.add_runs(row[at].character);
      into.add_runs(row[at].mark);
      into.add_runs(row[at].width + (row[at].continues ? kContinues : 0));
      into.add_runs(styles.place_of(row[at].style, saved));
      at = end;
    }
  }
}

bool restore_lines(const SavedScreen& saved, const SavedLines& from, uint32_t columns, std::vector<Row>& lines) {
  if (from.runs_size() % kNumbersOfRun != 0) return false;
  size_t row = 0;
  size_t column = 0;
  for (int i = 0; i < from.runs_size(); i += kNumbersOfRun) {
    Cell cell;
    cell.character = from.runs(i + 1);
    cell.mark = from.runs(i + 2);
    cell.width = static_cast<uint8_t>(from.runs(i + 3) & ~kContinues);
    cell.continues = (from.runs(i + 3) & kContinues) != 0;
    const uint32_t count = from.runs(i);
    const bool is_good = count > 0 && row < lines.size() && count <= columns - column &&
                         (from.runs(i + 3) & ~kContinues) <= 2 && cell.character <= 0x10ffff && cell.mark <= 0x10ffff &&
                         style_at(saved, from.runs(i + 4), cell.style);
    if (!is_good) return false;
    std::fill_n(lines[row].begin() + static_cast<std::ptrdiff_t>(column), count, cell);
    column += count;
    if (column == columns) {
      column = 0;
      ++row;
    }
  }
  return row == lines.size() && column == 0;
}

}  // namespace

std::string Screen::save() const {
  SavedScreen saved;
  saved.set_columns(columns_);
  saved.set_rows(rows_);
  Styles styles;
  save_lines(main_, styles, saved, *saved.mutable_main());
  save_lines(alternate_, styles, saved, *saved.mutable_alternate());
  saved.set_is_alternate(is_alternate_);
  for (const auto& [cursor, into] :
       {std::pair(&cursor_, saved.mutable_cursor()), std::pair(&saved_main_, saved.mutable_saved_main()),
        std::pair(&saved_alternate_, saved.mutable_saved_alternate())}) {
    into->set_column(cursor->column);
    into->set_row(cursor->row);
    into->set_is_wrap_due(cursor->is_wrap_due);
    into->set_style(styles.place_of(cursor->style, saved));
    into->set_sets(cursor->sets.data(), cursor->sets.size());
    into->set_active_set(cursor->active_set);
    into->set_is_origin_relative(cursor->is_origin_relative);
  }
  saved.set_modes((modes_.wraps ? 1U : 0) | (modes_.is_origin_relative ? 2U : 0) | (modes_.inserts ? 4U : 0) |
                  (modes_.is_reversed ? 8U : 0) | (modes_.shows_cursor ? 16U : 0) | (modes_.wraps_back ? 32U : 0) |
                  (modes_.has_side_margins ? 64U : 0));
  saved.set_top(top_);
  saved.set_bottom(bottom_);
  saved.set_left(left_);
  saved.set_right(right_);
  for (uint32_t i = 0; i < columns_; ++i) {
    if (tabs_[i]) saved.add_tabs(i);
  }
  saved.set_single_shift(single_shift_);
  saved.set_last_character(last_character_);
  return saved.SerializeAsString();
}

Result<Screen> Screen::restore(std::string_view bytes) {
  const Failure bad = fail(Errc::kCorrupt, "a saved screen that cannot be read");
  SavedScreen saved;
  if (!saved.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return bad;
  if (saved.columns() == 0 || saved.columns() > kMaxColumns || saved.rows() == 0 || saved.rows() > kMaxRows) return bad;
  Screen screen(saved.columns(), saved.rows());
  if (!restore_lines(saved, saved.main(), screen.columns_, screen.main_) ||
      !restore_lines(saved, saved.alternate(), screen.columns_, screen.alternate_)) {
    return bad;
  }
  screen.is_alternate_ = saved.is_alternate();
  for (const auto& [cursor, from] :
       {std::pair(&screen.cursor_, &saved.cursor()), std::pair(&screen.saved_main_, &saved.saved_main()),
        std::pair(&screen.saved_alternate_, &saved.saved_alternate())}) {
    if (from->column() >= screen.columns_ || from->row() >= screen.rows_ || from->sets().size() != 4 ||
        from->active_set() > 3 || !style_at(saved, from->style(), cursor->style)) {
      return bad;
    }
    cursor->column = from->column();
    cursor->row = from->row();
    cursor->is_wrap_due = from->is_wrap_due();
    std::ranges::copy(from->sets(), cursor->sets.begin());
    cursor->active_set = static_cast<uint8_t>(from->active_set());
    cursor->is_origin_relative = from->is_origin_relative();
  }
  const auto has = [&saved](uint32_t bit) { return (saved.modes() & bit) != 0; };
  screen.modes_ = {has(1), has(2), has(4), has(8), has(16), has(32), has(64)};
  if (saved.top() > saved.bottom() || saved.bottom() >= screen.rows_ || saved.left() > saved.right() ||
      saved.right() >= screen.columns_ || saved.single_shift() > 3 || saved.last_character() > 0x10ffff) {
    return bad;
  }
  screen.top_ = saved.top();
  screen.bottom_ = saved.bottom();
  screen.left_ = saved.left();
  screen.right_ = saved.right();
  screen.tabs_.assign(screen.columns_, false);
  for (const uint32_t tab : saved.tabs()) {
    if (tab >= screen.columns_) return bad;
    screen.tabs_[tab] = true;
  }
  screen.single_shift_ = static_cast<uint8_t>(saved.single_shift());
  screen.last_character_ = saved.last_character();
  return screen;
}

}  // namespace cairn::recorder
