#include <fmt/format.h>

#include "auth/store/json_text.h"
#include "auth/store/sql_audit.h"
#include "auth/store/sql_query.h"
#include "auth/store/sql_store.h"

namespace cairn::auth {
namespace {

Failure no_user(const std::string& name) { return fail(Errc::kNotFound, fmt::format("no user \"{}\"", name)); }

long long count(soci::session& sql, const char* statement, const std::string& name) {
  long long found = 0;
  sql << statement, soci::into(found), soci::use(name);
  return found;
}

bool user_exists(soci::session& sql, const std::string& name) {
  return count(sql, "SELECT count(*) FROM users WHERE name = :name", name) > 0;
}

std::vector<std::string> names(soci::session& sql, SqlQuery query) {
  std::string name;
  std::vector<std::string> found;
  soci::statement rows(sql);
  query.run(rows, soci::into(name));
  while (rows.fetch()) found.push_back(name);
  return found;
}

std::vector<std::string> role_names_of(soci::session& sql, const std::string& user) {
  SqlQuery query("SELECT role_name FROM user_roles");
  query.where("user_name = ?", {user});
  query.finish("ORDER BY role_name");
  return names(sql, std::move(query));
}

Result<void> give_roles(soci::session& sql, const v1::User& user) {
  sql << "DELETE FROM user_roles WHERE user_name = :name", soci::use(user.name());
  for (const std::string& role : user.roles()) {
    if (count(sql, "SELECT count(*) FROM roles WHERE name = :name", role) == 0)
      return fail(Errc::kNotFound, fmt::format("no role \"{}\"; \"cairn roles ls\" lists them", role));
    sql << "INSERT INTO user_roles (user_name, role_name) VALUES (:user, :role) ON CONFLICT DO NOTHING",
        soci::use(user.name()), soci::use(role);
  }
  return {};
}

Result<std::vector<v1::Role>> select_roles(soci::session& sql, SqlQuery query) {
  std::string name, logins, labels, verbs, forwards;
  int require_kernel_events = 0;
  long long linger_limit_s = 0;
  int record_input = 0;
  long long piped_output_bytes = 0;
  query.finish("ORDER BY name");
  soci::statement rows(sql);
  query.run(rows, soci::into(name), soci::into(logins), soci::into(labels), soci::into(verbs),
            soci::into(require_kernel_events), soci::into(linger_limit_s), soci::into(record_input),
            soci::into(forwards), soci::into(piped_output_bytes));
  std::vector<v1::Role> roles;
  while (rows.fetch()) {
    const Result<std::vector<std::string>> login_list = list_from_json(logins);
    const Result<std::vector<std::string>> verb_list = list_from_json(verbs);
    const Result<Labels> label_map = labels_from_json(labels);
    if (!login_list) return fail(login_list, "role " + name);
    if (!verb_list) return fail(verb_list, "role " + name);
    if (!label_map) return fail(label_map, "role " + name);
    const Result<std::vector<std::string>> forward_list = list_from_json(forwards);
    if (!forward_list) return fail(forward_list, "role " + name);
    v1::Role& role = roles.emplace_back();
    role.set_name(name);
    role.mutable_logins()->Add(login_list->begin(), login_list->end());
    role.mutable_verbs()->Add(verb_list->begin(), verb_list->end());
    role.mutable_forwards()->Add(forward_list->begin(), forward_list->end());
    role.mutable_node_labels()->insert(label_map->begin(), label_map->end());
    role.mutable_policy()->set_require_kernel_events(require_kernel_events != 0);
    role.mutable_policy()->set_linger_limit_s(static_cast<uint64_t>(linger_limit_s));
    role.mutable_policy()->set_record_input(record_input != 0);
    if (piped_output_bytes >= 0)
      role.mutable_policy()->set_piped_output_bytes(static_cast<uint64_t>(piped_output_bytes));
  }
  return roles;
}

SqlQuery roles_query() {
  return SqlQuery(
      "SELECT name, logins, node_labels, verbs, require_kernel_events, linger_limit_s, record_input, forwards, "
      "piped_output_bytes FROM roles");
}

}  // namespace

Result<void> SqlStore::put_user(const UserRecord& user, const Events& events) {
  return sql_->write([&](soci::session& sql) -> Result<void> {
    const long long created = user.user.created_wall_s();
    sql << "INSERT INTO users (name, password_hash, created_wall_s) VALUES (:name, '', :created) "
           "ON CONFLICT (name) DO NOTHING",
        soci::use(user.user.name()), soci::use(created);
    if (!user.password_hash.empty()) {
      sql << "UPDATE users SET password_hash = :hash WHERE name = :name", soci::use(user.password_hash),
          soci::use(user.user.name());
    }
    if (Result<void> given = give_roles(sql, user.user); !given) return given;
    insert_events(sql, events);
    return {};
  });
}

Result<UserRecord> SqlStore::find_user(const std::string& name) {
  return sql_->read([&](soci::session& sql) -> Result<UserRecord> {
    UserRecord found;
    long long created = 0;
    sql << "SELECT password_hash, created_wall_s FROM users WHERE name = :name", soci::into(found.password_hash),
        soci::into(created), soci::use(name);
    if (!sql.got_data()) return no_user(name);
    found.user.set_name(name);
    found.user.set_created_wall_s(created);
    for (std::string& role : role_names_of(sql, name)) found.user.add_roles(std::move(role));
    return found;
  });
}

Result<std::vector<v1::User>> SqlStore::list_users() {
  return sql_->read([&](soci::session& sql) -> Result<std::vector<v1::User>> {
    std::vector<v1::User> users;
    std::string name;
    std::string role;
    long long created = 0;
    SqlQuery query(
        "SELECT name, created_wall_s, coalesce(role_name, '') FROM users LEFT JOIN user_roles ON user_name = name");
    query.finish("ORDER BY name, role_name");
    soci::statement rows(sql);
    query.run(rows, soci::into(name), soci::into(created), soci::into(role));
    while (rows.fetch()) {
      if (users.empty() || users.back().name() != name) {
        users.emplace_back().set_name(name);
        users.back().set_created_wall_s(created);
      }
      if (!role.empty()) users.back().add_roles(role);
    }
    return users;
  });
}

Result<void> SqlStore::set_password(const std::string& name, const std::string& hash, const Events& events) {
  return sql_->write([&](soci::session& sql) -> Result<void> {
    if (!user_exists(sql, name)) return no_user(name);
    sql << "UPDATE users SET password_hash = :hash WHERE name = :name", soci::use(hash), soci::use(name);
    insert_events(sql, events);
    return {};
  });
}

Result<void> SqlStore::delete_user(const std::string& name, const Events& events) {
  return sql_->write([&](soci::session& sql) -> Result<void> {
    if (!user_exists(sql, name)) return no_user(name);
    sql << "DELETE FROM users WHERE name = :name", soci::use(name);
    insert_events(sql, events);
    return {};
  });
}

Result<void> SqlStore::put_role(const v1::Role& role, const Events& events) {
  return sql_->write([&](soci::session& sql) -> Result<void> {
    const std::string logins = json_of(role.logins());
    const std::string labels = json_of(role.node_labels());
    const std::string verbs = json_of(role.verbs());
    const int require_kernel_events = role.policy().require_kernel_events() ? 1 : 0;
    const long long linger_limit_s = static_cast<long long>(role.policy().linger_limit_s());
    const int record_input = role.policy().record_input() ? 1 : 0;
    const std::string forwards = json_of(role.forwards());
    const long long piped_output_bytes =
        role.policy().has_piped_output_bytes() ? static_cast<long long>(role.policy().piped_output_bytes()) : -1;
    sql << "INSERT INTO roles (name, logins, node_labels, verbs, require_kernel_events, linger_limit_s, record_input, "
           "forwards, piped_output_bytes) VALUES (:name, :logins, :labels, :verbs, :require, :linger, :input, "
           ":forwards, :piped) ON CONFLICT (name) DO UPDATE SET "
           "logins = excluded.logins, node_labels = excluded.node_labels, verbs = excluded.verbs, "
           "require_kernel_events = excluded.require_kernel_events, linger_limit_s = excluded.linger_limit_s, "
           "record_input = excluded.record_input, forwards = excluded.forwards, "
           "piped_output_bytes = excluded.piped_output_bytes",
        soci::use(role.name()), soci::use(logins), soci::use(labels), soci::use(verbs),
        soci::use(require_kernel_events), soci::use(linger_limit_s), soci::use(record_input), soci::use(forwards),
        soci::use(piped_output_bytes);
    insert_events(sql, events);
    return {};
  });
}

Result<std::vector<v1::Role>> SqlStore::list_roles() {
  return sql_->read([&](soci::session& sql) { return select_roles(sql, roles_query()); });
}

Result<std::vector<v1::Role>> SqlStore::roles_of(const std::string& user) {
  return sql_->read([&](soci::session& sql) {
    SqlQuery query = roles_query();
    query.where("name IN (SELECT role_name FROM user_roles WHERE user_name = ?)", {user});
    return select_roles(sql, std::move(query));
  });
}

Result<void> SqlStore::delete_role(const std::string& name, const Events& events) {
  return sql_->write([&](soci::session& sql) -> Result<void> {
    if (count(sql, "SELECT count(*) FROM roles WHERE name = :name", name) == 0)
      return fail(Errc::kNotFound, fmt::format("no role \"{}\"", name));
    SqlQuery query("SELECT user_name FROM user_roles");
    query.where("role_name = ?", {name});
    query.finish("ORDER BY user_name LIMIT 3");
    const std::vector<std::string> holders = names(sql, std::move(query));
    if (!holders.empty()) {
      return fail(Errc::kInvalid, fmt::format("role \"{}\" is still given to {}{}; take it from them first", name,
                                              fmt::join(holders, ", "), holders.size() == 3 ? " …" : ""));
    }
    sql << "DELETE FROM roles WHERE name = :name", soci::use(name);
    insert_events(sql, events);
    return {};
  });
}

}  // namespace cairn::auth
