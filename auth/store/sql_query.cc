#include "auth/store/sql_query.h"

#include <fmt/format.h>

namespace cairn::auth {

void SqlQuery::where(std::string_view condition, std::vector<Value> values) {
  text_ += std::exchange(has_where_, true) ? " AND (" : " WHERE (";
  add(condition, std::move(values));
  text_ += ')';
}

void SqlQuery::where_one_of(std::string_view column, const std::vector<std::string>& values) {
  if (values.empty()) return;
  std::string condition = fmt::format("{} IN (?", column);
  for (size_t i = 1; i < values.size(); ++i) condition += ", ?";
  where(condition + ")", std::vector<Value>(values.begin(), values.end()));
}

void SqlQuery::finish(std::string_view tail, std::vector<Value> values) {
  text_ += ' ';
  add(tail, std::move(values));
}

void SqlQuery::add(std::string_view text, std::vector<Value> values) {
  size_t number = values_.size();
  for (const char c : text) {
    // Named, since that is the form which SOCI has for every database.
    if (c == '?') {
      text_ += fmt::format(":v{}", ++number);
    } else {
      text_ += c;
    }
  }
  for (Value& value : values) values_.push_back(std::move(value));
}

}  // namespace cairn::auth
