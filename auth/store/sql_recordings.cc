#include <fmt/format.h>

#include "auth/store/sql_audit.h"
#include "auth/store/sql_sessions.h"
#include "auth/store/sql_store.h"
#include "base/clock.h"

namespace cairn::auth {
namespace {

// The session, if its recording has not been deleted.
Result<v1::Session> kept_session(soci::session& sql, const std::string& id) {
  Result<SessionRecord> record = select_session(sql, id);
  if (!record) return fail(record);
  if (record->session.has_deletion())
    return fail(Errc::kAlreadyExists,
                fmt::format("the recording of session {} {}", id, deletion_text(record->session)));
  return std::move(record->session);
}

Result<void> check_deletable(const v1::Session& session, const Tombstone& tombstone) {
  const std::string recording = fmt::format("the recording of session {}", session.id());
  if (session.end_wall_s() == 0) {
    return fail(Errc::kInvalid,
                fmt::format("{} is still live; it can be deleted when it has ended (of a node that does "
                            "not come back: when the node was removed)",
                            recording));
  }
  if (session.has_hold()) {
    return fail(Errc::kDenied,
                fmt::format("{} is held since {} by {} ({}); \"cairn recordings release\" ends the hold", recording,
                            format_utc(session.hold().since_wall_s()), session.hold().by(), session.hold().reason()));
  }
  const int64_t until = session.keep_until_wall_s();
  if (tombstone.is_early || until == 0 || (until > 0 && until <= tombstone.deletion.wall_s())) return {};
  return fail(Errc::kDenied,
              fmt::format("{} is to be kept {}, as a retention rule has promised; --early deletes it all "
                          "the same, on record",
                          recording, until < 0 ? "forever" : "until " + format_utc(until)));
}

}  // namespace

Result<void> SqlStore::hold_recording(const std::string& id, const v1::Hold& hold, const Events& events) {
  return sql_->write([&](soci::session& sql) -> Result<void> {
    const Result<v1::Session> session = kept_session(sql, id);
    if (!session) return fail(session);
    if (session->has_hold()) {
      return fail(Errc::kAlreadyExists, fmt::format("session {} is held already, since {} by {} ({})", id,
                                                    format_utc(session->hold().since_wall_s()), session->hold().by(),
                                                    session->hold().reason()));
    }
    const long long since = hold.since_wall_s();
    sql << "UPDATE sessions SET hold_wall_s = :since, hold_by = :by, hold_reason = :reason WHERE id = :id",
        soci::use(since), soci::use(hold.by()), soci::use(hold.reason()), soci::use(id);
    insert_events(sql, events);
    return {};
  });
}

Result<void> SqlStore::release_recording(const std::string& id, const Events& events) {
  return sql_->write([&](soci::session& sql) -> Result<void> {
    const Result<v1::Session> session = kept_session(sql, id);
    if (!session) return fail(session);
    if (!session->has_hold()) return fail(Errc::kInvalid, fmt::format("session {} is not held", id));
    sql << "UPDATE sessions SET hold_wall_s = 0, hold_by = '', hold_reason = '' WHERE id = :id", soci::use(id);
    insert_events(sql, events);
    return {};
  });
}

Result<void> SqlStore::delete_recording(const Tombstone& tombstone, const Events& events) {
  return sql_->write([&](soci::session& sql) -> Result<void> {
    const Result<v1::Session> session = kept_session(sql, tombstone.session_id);
    if (!session) return fail(session);
    if (Result<void> may = check_deletable(*session, tombstone); !may) return may;
    const v1::Deletion& deletion = tombstone.deletion;
    const long long at = deletion.wall_s();
    const auto bytes = static_cast<long long>(tombstone.bytes);
    const auto chunks = static_cast<long long>(tombstone.chunks);
    sql << "UPDATE sessions SET deleted_wall_s = :at, deleted_by = :by, deleted_rule = :rule, deleted_reason = "
           ":reason, "
           "recording_root = :root, recording_bytes = :bytes, recording_chunks = :chunks, "
           "certificate_serial = :serial WHERE id = :id",
        soci::use(at), soci::use(deletion.by()), soci::use(deletion.rule()), soci::use(deletion.reason()),
        soci::use(deletion.root()), soci::use(bytes), soci::use(chunks), soci::use(tombstone.certificate_serial),
        soci::use(tombstone.session_id);
    insert_events(sql, events);
    return {};
  });
}

Result<void> SqlStore::set_keys_for(const std::string& id, const std::string& recipients) {
  return sql_->write([&](soci::session& sql) -> Result<void> {
    sql << "UPDATE sessions SET keys_for = :recipients WHERE id = :id", soci::use(recipients), soci::use(id);
    return {};
  });
}

Result<std::vector<std::string>> SqlStore::unarchived_recordings(int64_t ended_by_wall_s, uint32_t limit) {
  return sql_->read([&](soci::session& sql) -> Result<std::vector<std::string>> {
    SqlQuery query("SELECT id FROM sessions");
    // In the words of the index sessions_unarchived.
    query.where("is_archived = 0 AND is_complete = 1 AND deleted_wall_s = 0 AND hold_wall_s = 0");
    query.where("end_wall_s <= ?", {static_cast<long long>(ended_by_wall_s)});
    query.finish("ORDER BY end_wall_s LIMIT ?", {static_cast<long long>(limit)});
    return select_ids(sql, std::move(query));
  });
}

Result<void> SqlStore::set_archived(const std::string& id, uint64_t bytes, const Events& events) {
  return sql_->write([&](soci::session& sql) -> Result<void> {
    const Result<v1::Session> session = kept_session(sql, id);
    if (!session) return fail(session);
    const auto stored = static_cast<long long>(bytes);
    sql << "UPDATE sessions SET is_archived = 1, recording_bytes = :bytes WHERE id = :id", soci::use(stored),
        soci::use(id);
    insert_events(sql, events);
    return {};
  });
}

Result<std::vector<std::string>> SqlStore::deleted_recordings() {
  return sql_->read([&](soci::session& sql) -> Result<std::vector<std::string>> {
    SqlQuery query("SELECT id FROM sessions");
    query.where("deleted_wall_s <> 0");
    return select_ids(sql, std::move(query));
  });
}

}  // namespace cairn::auth
