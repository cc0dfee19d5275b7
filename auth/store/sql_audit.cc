#include "auth/store/sql_audit.h"

#include "auth/store/json_text.h"
#include "auth/store/page_token.h"
#include "auth/store/sql_query.h"
#include "auth/store/sql_store.h"

namespace cairn::auth {
namespace {

constexpr char kAuditList = 'a';

// "session." finds every kind that begins so: '/' follows '.' in ASCII, which makes it a range that an index serves.
void add_kinds(SqlQuery& query, const std::vector<std::string>& kinds) {
  if (kinds.empty()) return;
  std::string condition;
  std::vector<SqlQuery::Value> values;
  for (const std::string& kind : kinds) {
    if (!condition.empty()) condition += " OR ";
    values.emplace_back(kind);
    if (kind.ends_with('.')) {
      condition += "(kind >= ? AND kind < ?)";
      values.emplace_back(kind.substr(0, kind.size() - 1) + '/');
    } else {
      condition += "kind = ?";
    }
  }
  query.where(condition, std::move(values));
}

SqlQuery audit_query(const AuditQuery& wanted, const PagePosition& after) {
  SqlQuery query(
      "SELECT id, wall_ns, kind, user_name, node_id, node_name, session_id, success, message, fields "
      "FROM audit_events");
  if (wanted.since_wall_ns > 0) query.where("wall_ns >= ?", {wanted.since_wall_ns});
  if (wanted.until_wall_ns < INT64_MAX) query.where("wall_ns < ?", {wanted.until_wall_ns});
  add_kinds(query, wanted.kinds);
  if (!wanted.user.empty()) query.where("user_name = ?", {wanted.user});
  query.where_one_of("node_id", wanted.node_ids);
  if (!wanted.session_id.empty()) query.where("session_id = ?", {wanted.session_id});
  if (!wanted.page_token.empty()) query.where(wanted.is_ascending ? "id > ?" : "id < ?", {after.number});
  // One more than wanted tells whether a next page exists.
  query.finish(wanted.is_ascending ? "ORDER BY id LIMIT ?" : "ORDER BY id DESC LIMIT ?",
               {static_cast<long long>(wanted.limit) + 1});
  return query;
}

Result<Page<AuditEvent>> select_events(soci::session& sql, const AuditQuery& wanted, const PagePosition& after) {
  SqlQuery query = audit_query(wanted, after);
  long long id = 0;
  long long wall_ns = 0;
  int success = 0;
  std::string kind, user, node_id, node_name, session_id, message, fields;
  soci::statement rows(sql);
  query.run(rows, soci::into(id), soci::into(wall_ns), soci::into(kind), soci::into(user), soci::into(node_id),
            soci::into(node_name), soci::into(session_id), soci::into(success), soci::into(message),
            soci::into(fields));
  Page<AuditEvent> page;
  while (rows.fetch()) {
    if (page.rows.size() == wanted.limit) {
      const PagePosition last{.number = static_cast<int64_t>(page.rows.back().id()), .text = {}};
      page.next_page_token = make_page_token(kAuditList, last);
      break;
    }
    AuditEvent& event = page.rows.emplace_back();
    event.set_id(static_cast<uint64_t>(id));
    event.set_wall_ns(wall_ns);
    event.set_kind(kind);
    event.set_user(user);
    event.set_node_id(node_id);
    event.set_node_name(node_name);
    event.set_session_id(session_id);
    event.set_success(success != 0);
    event.set_message(message);
    const Result<Labels> read = labels_from_json(fields);
    if (!read) return fail(read, "audit event");
    event.mutable_fields()->insert(read->begin(), read->end());
  }
  return page;
}

}  // namespace

void insert_events(soci::session& sql, const Events& events) {
  for (const AuditEvent& event : events) {
    const std::string fields = json_of(event.fields());
    const long long wall_ns = event.wall_ns();
    const int success = event.success() ? 1 : 0;
    sql << "INSERT INTO audit_events (wall_ns, kind, user_name, node_id, node_name, session_id, success, message, "
           "fields) VALUES (:wall_ns, :kind, :user_name, :node_id, :node_name, :session_id, :success, :message, "
           ":fields)",
        soci::use(wall_ns), soci::use(event.kind()), soci::use(event.user()), soci::use(event.node_id()),
        soci::use(event.node_name()), soci::use(event.session_id()), soci::use(success), soci::use(event.message()),
        soci::use(fields);
  }
}

Result<void> SqlStore::append_audit(const Events& events) {
  return sql_->write([&](soci::session& sql) -> Result<void> {
    insert_events(sql, events);
    return {};
  });
}

Result<Page<AuditEvent>> SqlStore::search_audit(const AuditQuery& query) {
  PagePosition after;
  if (!query.page_token.empty()) {
    Result<PagePosition> position = parse_page_token(kAuditList, query.page_token);
    if (!position) return fail(position);
    after = std::move(*position);
  }
  return sql_->read([&](soci::session& sql) { return select_events(sql, query, after); });
}

}  // namespace cairn::auth
