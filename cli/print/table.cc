#include "cli/print/table.h"

#include <algorithm>
#include <cassert>

#include "cli/print/plain_text.h"

namespace cairn::cli {

void Table::add(std::vector<std::string> cells) {
  assert(cells.size() == rows_.front().size());
  for (std::string& cell : cells) cell = cell.empty() ? "-" : printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); i++) widths[i] = std::max(widths[i], column_count(row[i]));
  }
  std::string out;
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); i++) {
      out += row[i];
      if (i + 1 < row.size()) out.append(widths[i] + 2 - column_count(row[i]), ' ');
    }
    out += '\n';
  }
  return out;
}

}  // namespace cairn::cli
