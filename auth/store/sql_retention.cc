#include <fmt/format.h>

#include "auth/store/json_text.h"
#include "auth/store/sql_audit.h"
#include "auth/store/sql_sessions.h"
#include "auth/store/sql_store.h"

namespace cairn::auth {

Result<void> SqlStore::put_retention_rule(const v1::RetentionRule& rule, const Events& events) {
  return sql_->write([&](soci::session& sql) -> Result<void> {
    const std::string labels = json_of(rule.node_labels());
    const std::string logins = json_of(rule.logins());
    const std::string roles = json_of(rule.roles());
    const std::string users = json_of(rule.users());
    const auto keep_s = static_cast<long long>(rule.keep_s());
    sql << "INSERT INTO retention_rules (name, node_labels, logins, roles, users, keep_s) VALUES (:name, :labels, "
           ":logins, :roles, :users, :keep_s) ON CONFLICT (name) DO UPDATE SET node_labels = excluded.node_labels, "
           "logins = excluded.logins, roles = excluded.roles, users = excluded.users, keep_s = excluded.keep_s",
        soci::use(rule.name()), soci::use(labels), soci::use(logins), soci::use(roles), soci::use(users),
        soci::use(keep_s);
    insert_events(sql, events);
    return {};
  });
}

Result<std::vector<v1::RetentionRule>> SqlStore::list_retention_rules() {
  return sql_->read([&](soci::session& sql) -> Result<std::vector<v1::RetentionRule>> {
    SqlQuery query("SELECT name, node_labels, logins, roles, users, keep_s FROM retention_rules");
    query.finish("ORDER BY name");
    std::string name, labels, logins, roles, users;
    long long keep_s = 0;
    soci::statement rows(sql);
    query.run(rows, soci::into(name), soci::into(labels), soci::into(logins), soci::into(roles), soci::into(users),
              soci::into(keep_s));
    std::vector<v1::RetentionRule> rules;
    while (rows.fetch()) {
      const Result<Labels> label_map = labels_from_json(labels);
      if (!label_map) return fail(label_map, "retention rule " + name);
      v1::RetentionRule& rule = rules.emplace_back();
      rule.set_name(name);
      rule.mutable_node_labels()->insert(label_map->begin(), label_map->end());
      rule.set_keep_s(static_cast<uint64_t>(keep_s));
      for (const auto& [text, list] :
           {std::pair(&logins, rule.mutable_logins()), std::pair(&roles, rule.mutable_roles()),
            std::pair(&users, rule.mutable_users())}) {
        const Result<std::vector<std::string>> words = list_from_json(*text);
        if (!words) return fail(words, "retention rule " + name);
        list->Add(words->begin(), words->end());
      }
    }
    return rules;
  });
}

Result<void> SqlStore::delete_retention_rule(const std::string& name, const Events& events) {
  return sql_->write([&](soci::session& sql) -> Result<void> {
    long long found = 0;
    sql << "SELECT count(*) FROM retention_rules WHERE name = :name", soci::into(found), soci::use(name);
    if (found == 0)
      return fail(Errc::kNotFound, fmt::format("no retention rule \"{}\"; \"cairn retention ls\" lists them", name));
    sql << "DELETE FROM retention_rules WHERE name = :name", soci::use(name);
    insert_events(sql, events);
    return {};
  });
}

Result<void> SqlStore::set_promises(const std::map<std::string, KeepPromise>& by_session) {
  if (by_session.empty()) return {};
  return sql_->write([&](soci::session& sql) -> Result<void> {
    for (const auto& [id, promise] : by_session) {
      const long long keep_s = promise.keep_s;
      sql << "UPDATE sessions SET keep_s = :keep_s, keep_rule = :rule WHERE id = :id", soci::use(keep_s),
          soci::use(promise.rule), soci::use(id);
    }
    return {};
  });
}

Result<std::vector<SessionRecord>> SqlStore::expired_recordings(int64_t now_wall_s, uint32_t limit) {
  return sql_->read([&](soci::session& sql) {
    SqlQuery query = sessions_query();
    // In the words of the index sessions_expiring.
    query.where("keep_rule <> '' AND end_wall_s <> 0 AND has_begun = 1 AND deleted_wall_s = 0 AND hold_wall_s = 0");
    query.where("(end_wall_s + keep_s) <= ?", {now_wall_s});
    query.finish("ORDER BY (end_wall_s + keep_s) LIMIT ?", {static_cast<long long>(limit)});
    return select_sessions(sql, std::move(query));
  });
}

}  // namespace cairn::auth
