#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <soci/soci.h>

namespace cairn::auth {

// A SELECT whose conditions are known only at run time. Every value is bound, none is pasted into the text.
//   SqlQuery query("SELECT id FROM sessions");
//   query.where("user_name = ?", {name});
//   soci::statement rows(sql);
//   query.run(rows, soci::into(id));
//   while (rows.fetch()) …
class SqlQuery {
 public:
  using Value = std::variant<long long, std::string>;

  explicit SqlQuery(std::string select) : text_(std::move(select)) {}

  // Conditions are joined by AND. `condition` holds one "?" for each value, in order.
  void where(std::string_view condition, std::vector<Value> values = {});
  // No condition when `values` is empty.
  void where_one_of(std::string_view column, const std::vector<std::string>& values);
  // What stands at the end: ORDER BY, LIMIT.
  void finish(std::string_view tail, std::vector<Value> values = {});

  // Runs it; each fetch() of `rows` then fills what `into` names. The query must outlive `rows`' execution.
  template <class... Into> void run(soci::statement& rows, Into... into) {
    rows.alloc();
    rows.prepare(text_);
    (rows.exchange(into), ...);
    for (const Value& value : values_) {
      std::visit([&rows](const auto& bound) { rows.exchange(soci::use(bound)); }, value);
    }
    rows.define_and_bind();
    rows.execute(false);
  }

 private:
  void add(std::string_view text, std::vector<Value> values);

  std::string text_;
  bool has_where_ = false;
  std::deque<Value> values_;  // bound by address, which a deque does not change
};

}  // namespace cairn::auth
