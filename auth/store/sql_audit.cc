#include "auth/store/sql_audit.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "auth/store/json_text.h"
#include "auth/store/page_token.h"
#include "auth/store/sql_query.h"
#include "auth/store/sql_store.h"
#include "base/bytes.h"
#include "recorder/proof/audit_entry.h"
#include "recorder/proof/merkle.h"

namespace cairn::auth {
namespace {

constexpr char kAuditList = 'a';

std::string noun_of(const std::string& kind) { return kind.substr(0, kind.find('.')); }

constexpr const char* kSelectEvents =
    "SELECT id, wall_ns, kind, user_name, node_id, node_name, session_id, success, message, fields, leaf "
    "FROM audit_events";

uint64_t leaf_count(soci::session& sql) {
  long long count = 0;
  sql << "SELECT COALESCE(MAX(leaf), 0) FROM audit_events", soci::into(count);
  return static_cast<uint64_t>(count);
}

Result<std::string> node_at(soci::session& sql, unsigned level, uint64_t place) {
  const long long level_number = level;
  const auto place_number = static_cast<long long>(place);
  std::string hash;
  sql << "SELECT hash FROM audit_tree WHERE level = :level AND place = :place", soci::use(level_number),
      soci::use(place_number), soci::into(hash);
  Result<std::string> bytes = from_hex(hash);
  if (!bytes || bytes->size() != recorder::kHashBytes)
    return fail(Errc::kCorrupt, fmt::format("the audit log's tree lacks its node {} of level {}", place, level));
  return bytes;
}

// Adds the event to the tree: its leaf, and each subtree that it completes. Throws as SOCI does.
void add_leaf(soci::session& sql, const AuditEvent& event) {
  const auto leaf = static_cast<long long>(leaf_count(sql) + 1);
  const auto id = static_cast<long long>(event.id());
  sql << "UPDATE audit_events SET leaf = :leaf WHERE id = :id", soci::use(leaf), soci::use(id);
  std::string hash = recorder::merkle_leaf(recorder::audit_entry(event));
  auto place = static_cast<uint64_t>(leaf - 1);
  for (unsigned level = 0;; ++level, place >>= 1) {
    const long long level_number = level;
    const auto place_number = static_cast<long long>(place);
    const std::string hex = to_hex(hash);
    sql << "INSERT INTO audit_tree (level, place, hash) VALUES (:level, :place, :hash)", soci::use(level_number),
        soci::use(place_number), soci::use(hex);
    if (place % 2 == 0) return;
    const Result<std::string> left = node_at(sql, level, place - 1);
    // Somebody has taken it out; what is signed will not fit any more, and that is told there.
    hash = recorder::merkle_node(left ? *left : std::string(), hash);
  }
}

// `kind`: one of the wanted, empty for all.
SqlQuery audit_query(const AuditQuery& wanted, const std::string& kind, const PagePosition& after) {
  SqlQuery query(kSelectEvents);
  if (kind.ends_with('.')) {
    query.where("noun = ?", {noun_of(kind)});
  } else if (!kind.empty()) {
    query.where("kind = ?", {kind});
  }
  if (wanted.since_wall_ns > 0) query.where("wall_ns >= ?", {wanted.since_wall_ns});
  if (wanted.until_wall_ns < INT64_MAX) query.where("wall_ns < ?", {wanted.until_wall_ns});
  if (!wanted.user.empty()) query.where("user_name = ?", {wanted.user});
  query.where_one_of("node_id", wanted.node_ids);
  if (!wanted.session_id.empty()) query.where("session_id = ?", {wanted.session_id});
  if (!wanted.page_token.empty()) {
    query.where(wanted.is_ascending ? "(wall_ns, id) > (?, ?)" : "(wall_ns, id) < (?, ?)",
                {after.number, static_cast<long long>(std::strtoll(after.text.c_str(), nullptr, 10))});
  }
  // One more than wanted tells whether a next page exists.
  query.finish(wanted.is_ascending ? "ORDER BY wall_ns, id LIMIT ?" : "ORDER BY wall_ns DESC, id DESC LIMIT ?",
               {static_cast<long long>(wanted.limit) + 1});
  return query;
}

Result<std::vector<AuditEvent>> select_events(soci::session& sql, SqlQuery query) {
  long long id = 0;
  long long wall_ns = 0;
  long long leaf = 0;
  int success = 0;
  std::string kind, user, node_id, node_name, session_id, message, fields;
  soci::statement rows(sql);
  query.run(rows, soci::into(id), soci::into(wall_ns), soci::into(kind), soci::into(user), soci::into(node_id),
            soci::into(node_name), soci::into(session_id), soci::into(success), soci::into(message), soci::into(fields),
            soci::into(leaf));
  std::vector<AuditEvent> events;
  while (rows.fetch()) {
    AuditEvent& event = events.emplace_back();
    event.set_id(static_cast<uint64_t>(id));
    event.set_wall_ns(wall_ns);
    event.set_kind(kind);
    event.set_user(user);
    event.set_node_id(node_id);
    event.set_node_name(node_name);
    event.set_session_id(session_id);
    event.set_success(success != 0);
    event.set_message(message);
    event.set_leaf(static_cast<uint64_t>(leaf));
    const Result<Labels> read = labels_from_json(fields);
    if (!read) return fail(read, "audit event");
    event.mutable_fields()->insert(read->begin(), read->end());
  }
  return events;
}

// Several kinds are asked for one by one, each by its index, and merged: asked for together SQLite would read and sort
// all that there are (measured: 1.1 s for 300,000 events instead of 1 ms).
Result<std::vector<AuditEvent>> select_kinds(soci::session& sql, const AuditQuery& wanted, const PagePosition& after) {
  if (wanted.kinds.empty()) return select_events(sql, audit_query(wanted, "", after));
  std::map<std::pair<int64_t, uint64_t>, AuditEvent> merged;  // kinds may overlap: "session." and "session.end"
  for (const std::string& kind : wanted.kinds) {
    Result<std::vector<AuditEvent>> events = select_events(sql, audit_query(wanted, kind, after));
    if (!events) return events;
    for (AuditEvent& event : *events) merged.try_emplace({event.wall_ns(), event.id()}, std::move(event));
  }
  std::vector<AuditEvent> sorted;
  for (auto& [position, event] : merged) sorted.push_back(std::move(event));
  if (!wanted.is_ascending) std::reverse(sorted.begin(), sorted.end());
  return sorted;
}

Result<Page<AuditEvent>> select_page(soci::session& sql, const AuditQuery& wanted, const PagePosition& after) {
  Result<std::vector<AuditEvent>> events = select_kinds(sql, wanted, after);
  if (!events) return fail(events);
  Page<AuditEvent> page;
  page.rows = std::move(*events);
  if (page.rows.size() > wanted.limit) {
    page.rows.resize(wanted.limit);
    const AuditEvent& last = page.rows.back();
    page.next_page_token = make_page_token(kAuditList, {.number = last.wall_ns(), .text = std::to_string(last.id())});
  }
  return page;
}

}  // namespace

void insert_events(soci::session& sql, const Events& events) {
  for (const AuditEvent& event : events) {
    const std::string fields = json_of(event.fields());
    const long long wall_ns = event.wall_ns();
    const int success = event.success() ? 1 : 0;
    const std::string noun = noun_of(event.kind());
    sql << "INSERT INTO audit_events (wall_ns, kind, noun, user_name, node_id, node_name, session_id, success, "
           "message, "
           "fields) VALUES (:wall_ns, :kind, :noun, :user_name, :node_id, :node_name, :session_id, :success, :message, "
           ":fields)",
        soci::use(wall_ns), soci::use(event.kind()), soci::use(noun), soci::use(event.user()),
        soci::use(event.node_id()), soci::use(event.node_name()), soci::use(event.session_id()), soci::use(success),
        soci::use(event.message()), soci::use(fields);
    AuditEvent stored = event;
    long long id = 0;
    sql << "SELECT MAX(id) FROM audit_events", soci::into(id);
    stored.set_id(static_cast<uint64_t>(id));
    add_leaf(sql, stored);
  }
}

Result<void> SqlStore::complete_audit_tree() {
  constexpr uint32_t kAtOnce = 10'000;
  for (bool is_complete = false; !is_complete;) {
    Result<void> done = sql_->write([&](soci::session& sql) -> Result<void> {
      SqlQuery query(kSelectEvents);
      query.where("leaf = ?", {0LL});
      query.finish("ORDER BY id LIMIT ?", {static_cast<long long>(kAtOnce)});
      const Result<std::vector<AuditEvent>> events = select_events(sql, std::move(query));
      if (!events) return fail(events);
      for (const AuditEvent& event : *events) add_leaf(sql, event);
      is_complete = events->size() < kAtOnce;
      return {};
    });
    if (!done) return done;
  }
  return {};
}

Result<AuditHead> SqlStore::audit_head(uint64_t size) {
  return sql_->read([&](soci::session& sql) -> Result<AuditHead> {
    const uint64_t leaves = leaf_count(sql);
    if (size > leaves)
      return fail(Errc::kNotFound, fmt::format("the audit log has {} events and never had {}", leaves, size));
    AuditHead head{.size = size == 0 ? leaves : size, .root = {}};
    Result<std::string> root =
        recorder::merkle_root(head.size, [&sql](unsigned level, uint64_t place) { return node_at(sql, level, place); });
    if (!root) return fail(root);
    head.root = std::move(*root);
    return head;
  });
}

Result<std::vector<std::string>> SqlStore::audit_leaves(uint64_t from, uint64_t count) {
  return sql_->read([&](soci::session& sql) -> Result<std::vector<std::string>> {
    SqlQuery query("SELECT hash FROM audit_tree");
    query.where("level = ?", {0LL});
    query.where("place >= ?", {static_cast<long long>(from)});
    query.finish("ORDER BY place LIMIT ?", {static_cast<long long>(count)});
    std::string hash;
    soci::statement rows(sql);
    query.run(rows, soci::into(hash));
    std::vector<std::string> leaves;
    while (rows.fetch()) {
      Result<std::string> bytes = from_hex(hash);
      if (!bytes || bytes->size() != recorder::kHashBytes)
        return fail(Errc::kCorrupt, "a leaf of the audit log's tree");
      leaves.push_back(std::move(*bytes));
    }
    return leaves;
  });
}

Result<std::vector<std::string>> SqlStore::audit_path(uint64_t leaf, uint64_t size) {
  return sql_->read([&](soci::session& sql) -> Result<std::vector<std::string>> {
    const uint64_t leaves = leaf_count(sql);
    if (size > leaves)
      return fail(Errc::kNotFound, fmt::format("the audit log has {} events and never had {}", leaves, size));
    if (leaf == 0 || leaf > size)
      return fail(Errc::kInvalid, fmt::format("there is no event {} among the first {}", leaf, size));
    return recorder::merkle_inclusion(leaf - 1, size,
                                      [&sql](unsigned level, uint64_t place) { return node_at(sql, level, place); });
  });
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
  return sql_->read([&](soci::session& sql) { return select_page(sql, query, after); });
}

}  // namespace cairn::auth
