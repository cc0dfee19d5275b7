#include <fmt/format.h>

#include "auth/store/page_token.h"
#include "auth/store/sql_audit.h"
#include "auth/store/sql_query.h"
#include "auth/store/sql_store.h"

namespace cairn::auth {
namespace {

constexpr char kSessionList = 's';

SqlQuery sessions_query() {
  return SqlQuery(
      "SELECT id, user_name, login, node_id, node_name, client_address, authorized_wall_ns, start_wall_s, end_wall_s, "
      "is_complete, recording_bytes, recording_chunks, end_reason, command FROM sessions");
}

std::vector<SessionRecord> select_sessions(soci::session& sql, SqlQuery query) {
  std::string id, user, login, node_id, node_name, client_address, end_reason, command;
  long long authorized = 0;
  long long start = 0;
  long long end = 0;
  long long bytes = 0;
  long long chunks = 0;
  int complete = 0;
  soci::statement rows(sql);
  query.run(rows, soci::into(id), soci::into(user), soci::into(login), soci::into(node_id), soci::into(node_name),
            soci::into(client_address), soci::into(authorized), soci::into(start), soci::into(end),
            soci::into(complete), soci::into(bytes), soci::into(chunks), soci::into(end_reason), soci::into(command));
  std::vector<SessionRecord> found;
  while (rows.fetch()) {
    SessionRecord& record = found.emplace_back();
    record.authorized_wall_ns = authorized;
    v1::Session& session = record.session;
    session.set_id(id);
    session.set_user(user);
    session.set_login(login);
    session.set_node_id(node_id);
    session.set_node_name(node_name);
    session.set_client_address(client_address);
    session.set_start_wall_s(start);
    session.set_end_wall_s(end);
    session.set_recording_complete(complete != 0);
    session.set_recording_bytes(static_cast<uint64_t>(bytes));
    session.set_recording_chunks(static_cast<uint64_t>(chunks));
    session.set_end_reason(end_reason);
    session.set_command(command);
  }
  return found;
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

Result<void> SqlStore::add_session(const SessionRecord& record, const Events& events) {
  return sql_->write([&](soci::session& sql) -> Result<void> {
    const v1::Session& session = record.session;
    long long found = 0;
    sql << "SELECT count(*) FROM sessions WHERE id = :id", soci::into(found), soci::use(session.id());
    if (found > 0) return fail(Errc::kAlreadyExists, fmt::format("a session {} exists", session.id()));
    const long long start = session.start_wall_s();
    sql << "INSERT INTO sessions (id, user_name, login, node_id, node_name, client_address, authorized_wall_ns, "
           "start_wall_s, end_wall_s, has_begun, is_complete, recording_bytes, recording_chunks, end_reason, command) "
           "VALUES (:id, :user, :login, :node_id, :node_name, :client, :authorized, :start, 0, 0, 0, 0, 0, '', '')",
        soci::use(session.id()), soci::use(session.user()), soci::use(session.login()), soci::use(session.node_id()),
        soci::use(session.node_name()), soci::use(session.client_address()), soci::use(record.authorized_wall_ns),
        soci::use(start);
    insert_events(sql, events);
    return {};
  });
}

Result<SessionRecord> SqlStore::find_session(const std::string& id) {
  return sql_->read([&](soci::session& sql) -> Result<SessionRecord> {
    SqlQuery query = sessions_query();
    query.where("id = ?", {id});
    std::vector<SessionRecord> found = select_sessions(sql, std::move(query));
    if (found.empty()) return fail(Errc::kNotFound, fmt::format("no session {}", id));
    return std::move(found.front());
  });
}

Result<std::vector<std::string>> SqlStore::session_ids(const std::string& prefix, uint32_t limit) {
  return sql_->read([&](soci::session& sql) -> Result<std::vector<std::string>> {
    SqlQuery query("SELECT id FROM sessions");
    query.where("id >= ? AND id < ?", {prefix, prefix + "~"});  // beyond every character of a UUID
    query.finish("ORDER BY id LIMIT ?", {static_cast<long long>(limit)});
    std::string id;
    soci::statement rows(sql);
    query.run(rows, soci::into(id));
    std::vector<std::string> ids;
    while (rows.fetch()) ids.push_back(id);
    return ids;
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
    std::vector<SessionRecord> found = select_sessions(sql, list_query(query, after));
    Page<v1::Session> page;
    if (found.size() > query.limit) {
      found.resize(query.limit);
      const PagePosition last{.number = found.back().authorized_wall_ns, .text = found.back().session.id()};
      page.next_page_token = make_page_token(kSessionList, last);
    }
    for (SessionRecord& record : found) page.rows.push_back(std::move(record.session));
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
    std::string id;
    soci::statement rows(sql);
    query.run(rows, soci::into(id));
    std::vector<std::string> ids;
    while (rows.fetch()) ids.push_back(id);
    return ids;
  });
}

}  // namespace cairn::auth
