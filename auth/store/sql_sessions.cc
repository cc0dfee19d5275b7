#include "auth/store/sql_sessions.h"

#include <fmt/format.h>

#include "auth/store/json_text.h"
#include "auth/store/page_token.h"
#include "auth/store/sql_audit.h"
#include "auth/store/sql_store.h"

namespace cairn::auth {
namespace {

constexpr char kSessionList = 's';

struct SessionRow {
  std::string id, user, login, node_id, node_name, client_address, end_reason, command;
  long long authorized_wall_ns = 0;
  long long start_wall_s = 0;
  long long end_wall_s = 0;
  long long bytes = 0;
  long long chunks = 0;
  int is_complete = 0;
  long long hold_wall_s = 0;
  std::string hold_by, hold_reason;
  long long deleted_wall_s = 0;
  std::string deleted_by, deleted_rule, deleted_reason, root, certificate_serial, keys_for;
  std::string node_labels, user_roles, keep_rule;
  long long keep_s = 0;
};

int64_t keep_until(const SessionRow& row) {
  if (row.keep_s == 0 || row.end_wall_s == 0) return 0;
  return row.keep_s >= kKeepForeverS ? -1 : row.end_wall_s + row.keep_s;
}

void add_fate(const SessionRow& row, v1::Session& session) {
  session.set_keep_until_wall_s(keep_until(row));
  if (row.hold_wall_s != 0) {
    session.mutable_hold()->set_since_wall_s(row.hold_wall_s);
    session.mutable_hold()->set_by(row.hold_by);
    session.mutable_hold()->set_reason(row.hold_reason);
  }
  if (row.deleted_wall_s == 0) return;
  session.mutable_deletion()->set_wall_s(row.deleted_wall_s);
  session.mutable_deletion()->set_by(row.deleted_by);
  session.mutable_deletion()->set_rule(row.deleted_rule);
  session.mutable_deletion()->set_reason(row.deleted_reason);
  session.mutable_deletion()->set_root(row.root);
}

Result<SessionRecord> session_of(const SessionRow& row) {
  SessionRecord record;
  if (!row.node_labels.empty()) {
    Result<Labels> labels = labels_from_json(row.node_labels);
    if (!labels) return fail(labels, "session " + row.id);
    record.node_labels = std::move(*labels);
  }
  if (!row.user_roles.empty()) {
    Result<std::vector<std::string>> roles = list_from_json(row.user_roles);
    if (!roles) return fail(roles, "session " + row.id);
    record.user_roles = std::move(*roles);
  }
  record.authorized_wall_ns = row.authorized_wall_ns;
  record.promise = {.keep_s = row.keep_s, .rule = row.keep_rule};
  record.certificate_serial = row.certificate_serial;
  record.keys_for = row.keys_for;
  v1::Session& session = record.session;
  session.set_id(row.id);
  session.set_user(row.user);
  session.set_login(row.login);
  session.set_node_id(row.node_id);
  session.set_node_name(row.node_name);
  session.set_client_address(row.client_address);
  session.set_start_wall_s(row.start_wall_s);
  session.set_end_wall_s(row.end_wall_s);
  session.set_recording_complete(row.is_complete != 0);
  session.set_recording_bytes(static_cast<uint64_t>(row.bytes));
  session.set_recording_chunks(static_cast<uint64_t>(row.chunks));
  session.set_end_reason(row.end_reason);
  session.set_command(row.command);
  add_fate(row, session);
  return record;
}

SqlQuery list_query(const SessionQuery& wanted, const PagePosition& after) {
  SqlQuery query = sessions_query();
  if (wanted.state == v1::ListSessionsRequest::STATE_LIVE) query.where("end_wall_s = 0");
  if (wanted.state == v1::ListSessionsRequest::STATE_ENDED) query.where("end_wall_s <> 0");
  query.where("has_begun = 1 OR authorized_wall_ns >= ?", {wanted.begun_after_wall_ns});
  if (wanted.since_wall_ns > 0) query.where("authorized_wall_ns >= ?", {wanted.since_wall_ns});
  if (!wanted.user.empty()) query.where("user_name = ?", {wanted.user});
  query.where_one_of("node_id", wanted.node_ids);
  if (!wanted.page_token.empty()) {
    query.where("authorized_wall_ns < ? OR (authorized_wall_ns = ? AND id < ?)",
                {after.number, after.number, after.text});
  }
  query.finish("ORDER BY authorized_wall_ns DESC, id DESC LIMIT ?", {static_cast<long long>(wanted.limit) + 1});
  return query;
}

}  // namespace

SqlQuery sessions_query() {
  return SqlQuery(
      "SELECT id, user_name, login, node_id, node_name, client_address, authorized_wall_ns, start_wall_s, end_wall_s, "
      "is_complete, recording_bytes, recording_chunks, end_reason, command, hold_wall_s, hold_by, hold_reason, "
      "deleted_wall_s, deleted_by, deleted_rule, deleted_reason, recording_root, certificate_serial, node_labels, "
      "user_roles, keep_s, keep_rule, keys_for FROM sessions");
}

Result<std::vector<SessionRecord>> select_sessions(soci::session& sql, SqlQuery query) {
  using soci::into;
  SessionRow row;
  soci::statement rows(sql);
  query.run(rows, into(row.id), into(row.user), into(row.login), into(row.node_id), into(row.node_name),
            into(row.client_address), into(row.authorized_wall_ns), into(row.start_wall_s), into(row.end_wall_s),
            into(row.is_complete), into(row.bytes), into(row.chunks), into(row.end_reason), into(row.command),
            into(row.hold_wall_s), into(row.hold_by), into(row.hold_reason), into(row.deleted_wall_s),
            into(row.deleted_by), into(row.deleted_rule), into(row.deleted_reason), into(row.root),
            into(row.certificate_serial), into(row.node_labels), into(row.user_roles), into(row.keep_s),
            into(row.keep_rule), into(row.keys_for));
  std::vector<SessionRecord> found;
  while (rows.fetch()) {
    Result<SessionRecord> record = session_of(row);
    if (!record) return fail(record);
    found.push_back(std::move(*record));
  }
  return found;
}

std::vector<std::string> select_ids(soci::session& sql, SqlQuery query) {
  std::string id;
  soci::statement rows(sql);
  query.run(rows, soci::into(id));
  std::vector<std::string> ids;
  while (rows.fetch()) ids.push_back(id);
  return ids;
}

Result<SessionRecord> select_session(soci::session& sql, const std::string& id) {
  SqlQuery query = sessions_query();
  query.where("id = ?", {id});
  Result<std::vector<SessionRecord>> found = select_sessions(sql, std::move(query));
  if (!found) return fail(found);
  if (found->empty()) return fail(Errc::kNotFound, fmt::format("no session {}", id));
  return std::move(found->front());
}

Result<void> SqlStore::add_session(const SessionRecord& record, const Events& events) {
  return sql_->write([&](soci::session& sql) -> Result<void> {
    const v1::Session& session = record.session;
    long long found = 0;
    sql << "SELECT count(*) FROM sessions WHERE id = :id", soci::into(found), soci::use(session.id());
    if (found > 0) return fail(Errc::kAlreadyExists, fmt::format("a session {} exists", session.id()));
    const long long start = session.start_wall_s();
    const std::string labels = record.node_labels ? json_of(*record.node_labels) : "";
    const std::string roles = record.user_roles ? json_of(*record.user_roles) : "";
    const long long keep_s = record.promise.keep_s;
    sql << "INSERT INTO sessions (id, user_name, login, node_id, node_name, client_address, authorized_wall_ns, "
           "start_wall_s, end_wall_s, has_begun, is_complete, recording_bytes, recording_chunks, end_reason, command, "
           "node_labels, user_roles, keep_s, keep_rule, keys_for) VALUES (:id, :user, :login, :node_id, :node_name, "
           ":client, "
           ":authorized, :start, 0, 0, 0, 0, 0, '', '', :labels, :roles, :keep_s, :keep_rule, :keys_for)",
        soci::use(session.id()), soci::use(session.user()), soci::use(session.login()), soci::use(session.node_id()),
        soci::use(session.node_name()), soci::use(session.client_address()), soci::use(record.authorized_wall_ns),
        soci::use(start), soci::use(labels), soci::use(roles), soci::use(keep_s), soci::use(record.promise.rule),
        soci::use(record.keys_for);
    insert_events(sql, events);
    return {};
  });
}

Result<SessionRecord> SqlStore::find_session(const std::string& id) {
  return sql_->read([&](soci::session& sql) { return select_session(sql, id); });
}

Result<std::vector<std::string>> SqlStore::session_ids(const std::string& prefix, uint32_t limit) {
  return sql_->read([&](soci::session& sql) -> Result<std::vector<std::string>> {
    SqlQuery query("SELECT id FROM sessions");
    query.where("id >= ? AND id < ?", {prefix, prefix + "~"});  // beyond every character of a UUID
    query.finish("ORDER BY id LIMIT ?", {static_cast<long long>(limit)});
    return select_ids(sql, std::move(query));
  });
}

Result<Page<v1::Session>> SqlStore::list_sessions(const SessionQuery& query) {
  PagePosition after;
  if (!query.page_token.empty()) {
    Result<PagePosition> position = parse_page_token(kSessionList, query.page_token);
    if (!position) return fail(position);
    after = std::move(*position);
  }
  return sql_->read([&](soci::session& sql) -> Result<Page<v1::Session>> {
    Result<std::vector<SessionRecord>> found = select_sessions(sql, list_query(query, after));
    if (!found) return fail(found);
    Page<v1::Session> page;
    if (found->size() > query.limit) {
      found->resize(query.limit);
      const PagePosition last{.number = found->back().authorized_wall_ns, .text = found->back().session.id()};
      page.next_page_token = make_page_token(kSessionList, last);
    }
    for (SessionRecord& record : *found) page.rows.push_back(std::move(record.session));
    return page;
  });
}

Result<uint64_t> SqlStore::count_live_sessions(int64_t begun_after_wall_ns) {
  return sql_->read([&](soci::session& sql) -> Result<uint64_t> {
    long long count = 0;
    sql << "SELECT count(*) FROM sessions WHERE end_wall_s = 0 AND (has_begun = 1 OR authorized_wall_ns >= :after)",
        soci::into(count), soci::use(begun_after_wall_ns);
    return static_cast<uint64_t>(count);
  });
}

Result<void> SqlStore::begin_session(const std::string& id, int64_t start_wall_s, const std::string& command) {
  return sql_->write([&](soci::session& sql) -> Result<void> {
    sql << "UPDATE sessions SET has_begun = 1, start_wall_s = :start WHERE id = :id", soci::use(start_wall_s),
        soci::use(id);
    if (!command.empty())
      sql << "UPDATE sessions SET command = :command WHERE id = :id", soci::use(command), soci::use(id);
    return {};
  });
}

Result<void> SqlStore::end_session(const std::string& id, const SessionEnd& end, const Events& events) {
  return sql_->write([&](soci::session& sql) -> Result<void> {
    long long open = 0;
    sql << "SELECT count(*) FROM sessions WHERE id = :id AND is_complete = 0", soci::into(open), soci::use(id);
    if (open == 0) return {};
    const long long bytes = static_cast<long long>(end.bytes);
    const long long chunks = static_cast<long long>(end.chunks);
    sql << "UPDATE sessions SET has_begun = 1, is_complete = 1, end_wall_s = :end, end_reason = :reason, "
           "recording_bytes = :bytes, recording_chunks = :chunks WHERE id = :id",
        soci::use(end.end_wall_s), soci::use(end.reason), soci::use(bytes), soci::use(chunks), soci::use(id);
    insert_events(sql, events);
    return {};
  });
}

Result<std::vector<std::string>> SqlStore::incomplete_sessions() {
  return sql_->read([&](soci::session& sql) -> Result<std::vector<std::string>> {
    SqlQuery query("SELECT id FROM sessions");
    query.where("end_wall_s = 0");
    return select_ids(sql, std::move(query));
  });
}

Result<std::vector<SessionRecord>> SqlStore::sessions_after(const std::string& after, uint32_t limit) {
  return sql_->read([&](soci::session& sql) {
    SqlQuery query = sessions_query();
    query.where("id > ?", {after});
    query.where("deleted_wall_s = 0");
    query.finish("ORDER BY id LIMIT ?", {static_cast<long long>(limit)});
    return select_sessions(sql, std::move(query));
  });
}

}  // namespace cairn::auth
