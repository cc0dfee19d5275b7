#include "auth/store/sql_tokens.h"

#include <fmt/format.h>

#include "auth/store/json_text.h"
#include "auth/store/sql_audit.h"
#include "auth/store/sql_query.h"
#include "auth/store/sql_store.h"

namespace cairn::auth {
namespace {

Result<std::vector<v1::Token>> select_tokens(soci::session& sql, SqlQuery query) {
  std::string name, labels, created_by;
  int type = 0;
  int unlimited = 0;
  long long expires = 0;
  long long uses_left = 0;
  query.finish("ORDER BY name");
  soci::statement rows(sql);
  query.run(rows, soci::into(name), soci::into(type), soci::into(expires), soci::into(uses_left), soci::into(unlimited),
            soci::into(labels), soci::into(created_by));
  std::vector<v1::Token> tokens;
  while (rows.fetch()) {
    const Result<Labels> label_map = labels_from_json(labels);
    if (!label_map) return fail(label_map, "token " + name);
    v1::Token& token = tokens.emplace_back();
    token.set_name(name);
    token.set_type(static_cast<v1::TokenType>(type));
    token.set_expires_wall_s(expires);
    token.set_uses_left(static_cast<uint32_t>(uses_left));
    token.set_unlimited(unlimited != 0);
    token.mutable_labels()->insert(label_map->begin(), label_map->end());
    token.set_created_by(created_by);
  }
  return tokens;
}

SqlQuery tokens_query() {
  return SqlQuery("SELECT name, type, expires_wall_s, uses_left, unlimited, labels, created_by FROM tokens");
}

}  // namespace

Result<v1::Token> select_token(soci::session& sql, const std::string& secret_sha256) {
  SqlQuery query = tokens_query();
  query.where("secret_sha256 = ?", {secret_sha256});
  Result<std::vector<v1::Token>> found = select_tokens(sql, std::move(query));
  if (!found) return fail(found);
  if (found->empty()) {
    return fail(Errc::kNotFound,
                "unknown join token: mistyped or revoked; ask an admin for \"cairn tokens add --type=node\" "
                "(or --type=proxy)");
  }
  return std::move(found->front());
}

Result<void> SqlStore::add_token(const v1::Token& token, const std::string& secret_sha256, int64_t now_wall_s,
                                 const Events& events) {
  return sql_->write([&](soci::session& sql) -> Result<void> {
    sql << "DELETE FROM tokens WHERE name = :name AND (expires_wall_s <= :now OR (unlimited = 0 AND uses_left = 0))",
        soci::use(token.name()), soci::use(now_wall_s);
    long long found = 0;
    sql << "SELECT count(*) FROM tokens WHERE name = :name", soci::into(found), soci::use(token.name());
    if (found > 0) {
      return fail(Errc::kAlreadyExists, fmt::format("a token \"{}\" exists; choose another name, or revoke it with "
                                                    "\"cairn tokens rm {}\"",
                                                    token.name(), token.name()));
    }
    const int type = token.type();
    const long long expires = token.expires_wall_s();
    const long long uses_left = token.uses_left();
    const int unlimited = token.unlimited() ? 1 : 0;
    const std::string labels = json_of(token.labels());
    sql << "INSERT INTO tokens (name, type, secret_sha256, expires_wall_s, uses_left, unlimited, labels, created_by) "
           "VALUES (:name, :type, :secret, :expires, :uses, :unlimited, :labels, :created_by)",
        soci::use(token.name()), soci::use(type), soci::use(secret_sha256), soci::use(expires), soci::use(uses_left),
        soci::use(unlimited), soci::use(labels), soci::use(token.created_by());
    insert_events(sql, events);
    return {};
  });
}

Result<v1::Token> SqlStore::find_token(const std::string& secret_sha256) {
  return sql_->read([&](soci::session& sql) { return select_token(sql, secret_sha256); });
}

Result<std::vector<v1::Token>> SqlStore::list_tokens(int64_t now_wall_s) {
  return sql_->read([&](soci::session& sql) {
    SqlQuery query = tokens_query();
    query.where("expires_wall_s > ?", {now_wall_s});
    query.where("unlimited = 1 OR uses_left > 0");
    return select_tokens(sql, std::move(query));
  });
}

Result<void> SqlStore::delete_token(const std::string& name, const Events& events) {
  return sql_->write([&](soci::session& sql) -> Result<void> {
    long long found = 0;
    sql << "SELECT count(*) FROM tokens WHERE name = :name", soci::into(found), soci::use(name);
    if (found == 0) return fail(Errc::kNotFound, fmt::format("no token \"{}\"; \"cairn tokens ls\" lists them", name));
    sql << "DELETE FROM tokens WHERE name = :name", soci::use(name);
    insert_events(sql, events);
    return {};
  });
}

}  // namespace cairn::auth
