#include <fmt/format.h>

#include "auth/store/json_text.h"
#include "auth/store/sql_audit.h"
#include "auth/store/sql_query.h"
#include "auth/store/sql_store.h"
#include "auth/store/sql_tokens.h"

namespace cairn::auth {
namespace {

struct HostRow {
  std::string id, name, own_labels, token_labels, ssh_host_key, version, kernel, capture_tier, hooks, capture_error;
  int type = 0;
  long long last_seen_wall_s = 0;
  long long joined_wall_s = 0;
};

Result<HostRecord> host_of(const HostRow& row) {
  const Result<Labels> own = labels_from_json(row.own_labels);
  const Result<Labels> given = labels_from_json(row.token_labels);
  const Result<std::vector<std::string>> hooks = list_from_json(row.hooks);
  if (!own) return fail(own, "host " + row.id);
  if (!given) return fail(given, "host " + row.id);
  if (!hooks) return fail(hooks, "host " + row.id);
  Labels labels = *given;  // insert() below leaves these as they are: the token's win
  labels.insert(own->begin(), own->end());

  HostRecord host;
  host.type = static_cast<HostType>(row.type);
  host.joined_wall_s = row.joined_wall_s;
  host.node.set_id(row.id);
  host.node.set_name(row.name);
  host.node.mutable_labels()->insert(labels.begin(), labels.end());
  host.node.set_version(row.version);
  host.node.set_ssh_host_key(row.ssh_host_key);
  host.node.set_last_seen_wall_s(row.last_seen_wall_s);
  host.node.set_capture_tier(row.capture_tier);
  host.node.set_capture_error(row.capture_error);
  host.node.set_kernel(row.kernel);
  host.node.mutable_hooks()->Add(hooks->begin(), hooks->end());
  return host;
}

SqlQuery hosts_query() {
  return SqlQuery(
      "SELECT id, type, name, own_labels, token_labels, ssh_host_key, version, kernel, capture_tier, hooks, "
      "capture_error, "
      "last_seen_wall_s, joined_wall_s FROM hosts");
}

Result<std::vector<HostRecord>> select_hosts(soci::session& sql, SqlQuery query) {
  query.finish("ORDER BY name, id");
  HostRow row;
  soci::statement rows(sql);
  query.run(rows, soci::into(row.id), soci::into(row.type), soci::into(row.name), soci::into(row.own_labels),
            soci::into(row.token_labels), soci::into(row.ssh_host_key), soci::into(row.version), soci::into(row.kernel),
            soci::into(row.capture_tier), soci::into(row.hooks), soci::into(row.capture_error),
            soci::into(row.last_seen_wall_s), soci::into(row.joined_wall_s));
  std::vector<HostRecord> hosts;
  while (rows.fetch()) {
    Result<HostRecord> host = host_of(row);
    if (!host) return fail(host);
    hosts.push_back(std::move(*host));
  }
  return hosts;
}

Result<HostRecord> select_host(soci::session& sql, SqlQuery query) {
  Result<std::vector<HostRecord>> found = select_hosts(sql, std::move(query));
  if (!found) return fail(found);
  if (found->empty()) return fail(Errc::kNotFound, "no such host");
  return std::move(found->front());
}

std::string_view type_word(v1::TokenType type) { return type == v1::TOKEN_TYPE_PROXY ? "proxy" : "node"; }

std::string age_text(int64_t seconds) {
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 7200) return fmt::format("{} min", seconds / 60);
  if (seconds < 172'800) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} days", seconds / 86'400);
}

Result<void> check_usable(const v1::Token& token, const JoinRecord& host) {
  const v1::TokenType wanted = host.type == HostType::kProxy ? v1::TOKEN_TYPE_PROXY : v1::TOKEN_TYPE_NODE;
  const std::string next = fmt::format("ask an admin for \"cairn tokens add --type={}\"", type_word(wanted));
  if (token.type() != wanted) {
    return fail(Errc::kInvalid, fmt::format("token \"{}\" is for joining as a {}, and this host asked to join as a {}; "
                                            "{}",
                                            token.name(), type_word(token.type()), type_word(wanted), next));
  }
  if (token.expires_wall_s() <= host.now_wall_s) {
    return fail(Errc::kExpired, fmt::format("token \"{}\" expired {} ago; {}", token.name(),
                                            age_text(host.now_wall_s - token.expires_wall_s()), next));
  }
  if (!token.unlimited() && token.uses_left() == 0)
    return fail(Errc::kExpired, fmt::format("token \"{}\" is used up: no uses left; {}", token.name(), next));
  return {};
}

void insert_host(soci::session& sql, const JoinRecord& host, const v1::Token& token) {
  const int type = static_cast<int>(host.type);
  const std::string own_labels = json_of(host.labels);
  const std::string token_labels = json_of(token.labels());
  const std::string hooks = "[]";
  sql << "INSERT INTO hosts (id, type, name, own_labels, token_labels, ssh_host_key, version, kernel, capture_tier, "
         "hooks, last_seen_wall_s, joined_wall_s, token_secret_sha256, key_sha256) VALUES (:id, :type, :name, :own, "
         ":given, :host_key, :version, '', '', :hooks, 0, :joined, :secret, :key)",
      soci::use(host.id), soci::use(type), soci::use(host.name), soci::use(own_labels), soci::use(token_labels),
      soci::use(host.ssh_host_key), soci::use(host.version), soci::use(hooks), soci::use(host.now_wall_s),
      soci::use(host.secret_sha256), soci::use(host.key_sha256);
}

SqlQuery joined_before(const JoinRecord& host) {
  SqlQuery query = hosts_query();
  query.where("token_secret_sha256 = ? AND key_sha256 = ?", {host.secret_sha256, host.key_sha256});
  return query;
}

}  // namespace

Result<HostRecord> SqlStore::join(const JoinRecord& host, const Events& events) {
  return sql_->write([&](soci::session& sql) -> Result<HostRecord> {
    const Result<v1::Token> token = select_token(sql, host.secret_sha256);
    if (!token) return fail(token);
    if (token->expires_wall_s() > host.now_wall_s) {
      Result<HostRecord> before = select_host(sql, joined_before(host));
      if (before || before.error().code != Errc::kNotFound) return before;
    }
    if (Result<void> usable = check_usable(*token, host); !usable) return fail(usable);
    sql << "UPDATE tokens SET uses_left = uses_left - 1 WHERE name = :name AND unlimited = 0", soci::use(token->name());
    insert_host(sql, host, *token);
    insert_events(sql, events);
    return select_host(sql, joined_before(host));
  });
}

Result<HostRecord> SqlStore::find_host(const std::string& id) {
  return sql_->read([&](soci::session& sql) {
    SqlQuery query = hosts_query();
    query.where("id = ?", {id});
    return select_host(sql, std::move(query));
  });
}

Result<std::vector<HostRecord>> SqlStore::hosts_called(const std::string& id_or_name) {
  return sql_->read([&](soci::session& sql) {
    SqlQuery query = hosts_query();
    query.where("id = ? OR name = ?", {id_or_name, id_or_name});
    return select_hosts(sql, std::move(query));
  });
}

Result<std::vector<HostRecord>> SqlStore::list_hosts(HostType type) {
  return sql_->read([&](soci::session& sql) {
    SqlQuery query = hosts_query();
    query.where("type = ?", {static_cast<long long>(type)});
    return select_hosts(sql, std::move(query));
  });
}

Result<HostType> SqlStore::type_of_host(const std::string& id) {
  return sql_->read([&](soci::session& sql) -> Result<HostType> {
    int type = 0;
    sql << "SELECT type FROM hosts WHERE id = :id", soci::use(id), soci::into(type);
    if (!sql.got_data()) return fail(Errc::kNotFound, "no host " + id);
    return static_cast<HostType>(type);
  });
}

Result<void> SqlStore::heartbeat(const std::string& id, const v1::HeartbeatRequest& beat, int64_t now_wall_s) {
  return sql_->write_relaxed([&](soci::session& sql) -> Result<void> {
    const std::string labels = json_of(beat.labels());
    const std::string hooks = json_of(beat.hooks());
    sql << "UPDATE hosts SET version = :version, own_labels = :labels, kernel = :kernel, capture_tier = :tier, "
           "hooks = :hooks, capture_error = :error, last_seen_wall_s = :now WHERE id = :id",
        soci::use(beat.version()), soci::use(labels), soci::use(beat.kernel()), soci::use(beat.capture_tier()),
        soci::use(hooks), soci::use(beat.capture_error()), soci::use(now_wall_s), soci::use(id);
    return {};
  });
}

Result<void> SqlStore::set_seen(const std::vector<std::string>& ids, int64_t now_wall_s) {
  if (ids.empty()) return {};
  return sql_->write_relaxed([&](soci::session& sql) -> Result<void> {
    std::string id;
    soci::statement update = (sql.prepare << "UPDATE hosts SET last_seen_wall_s = :now WHERE id = :id",
                              soci::use(now_wall_s), soci::use(id));
    for (const std::string& each : ids) {
      id = each;
      update.execute(true);
    }
    return {};
  });
}

Result<void> SqlStore::delete_host(const std::string& id, int64_t now_wall_s, const Events& events) {
  return sql_->write([&](soci::session& sql) -> Result<void> {
    sql << "DELETE FROM hosts WHERE id = :id", soci::use(id);
    sql << "UPDATE sessions SET end_wall_s = :now, end_reason = 'interrupted' WHERE node_id = :id AND end_wall_s = 0",
        soci::use(now_wall_s), soci::use(id);
    insert_events(sql, events);
    return {};
  });
}

}  // namespace cairn::auth
