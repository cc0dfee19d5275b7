#pragma once

#include <string>
#include <vector>

namespace cairn::cli {

// A table for people: a header line, then one line per row, columns aligned by two blanks, never wrapped or cut.
// Cells are foreign text: they are escaped (plain_text.h); an empty one shows as "-".
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  // As many cells as the header has.
  void add(std::vector<std::string> cells);
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace cairn::cli
