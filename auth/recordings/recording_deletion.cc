#include <utility>

#include <fmt/format.h>

#include "auth/recordings/recordings.h"
#include "base/bytes.h"
#include "recorder/proof/certificate.h"

namespace cairn::auth {
namespace {

constexpr uint32_t kEventsLookedAt = 1000;

// So that a search of the audit log finds what the list of sessions shows.
void tell(const v1::Session& session, const Tombstone& tombstone, AuditEvent& event) {
  event.set_session_id(session.id());
  event.set_node_id(session.node_id());
  event.set_node_name(session.node_name());
  auto& fields = *event.mutable_fields();
  fields["owner"] = session.user();
  fields["login"] = session.login();
  fields["reason"] = tombstone.deletion.reason();
  if (!tombstone.deletion.rule().empty()) fields["rule"] = tombstone.deletion.rule();
  fields["chunks"] = std::to_string(tombstone.chunks);
  fields["bytes"] = std::to_string(tombstone.bytes);
  fields["root"] = tombstone.deletion.root();
  if (tombstone.is_early && session.keep_until_wall_s() != 0) {
    fields["promised"] =
        session.keep_until_wall_s() < 0 ? "forever" : "until " + format_utc(session.keep_until_wall_s());
  }
}

}  // namespace

// Of a recording that is gone or too damaged to be read: what was sealed when it was complete.
Result<std::string> Recordings::sealed_root(const std::string& session_id) {
  const Result<Page<AuditEvent>> events = store_->search_audit({.session_id = session_id, .limit = kEventsLookedAt});
  if (!events) return fail(events);
  for (const AuditEvent& event : events->rows) {
    const auto root = event.fields().find("root");
    if (event.kind() == "session.end" && root != event.fields().end()) return root->second;
  }
  return std::string();
}

//   must_exist  else a session of which nothing was ever stored gets a tombstone too
Result<Tombstone> Recordings::tombstone_of(const SessionRecord& session, bool must_exist) {
  const std::string& id = session.session.id();
  Tombstone tombstone{.session_id = id};
  const Result<RecordingState> state = chunks_->state(id);
  if (!state && state.error().code != Errc::kCorrupt) return fail(state);
  const Result<RecordingTree> tree = state ? read_tree(*chunks_, id, *state) : fail(state);
  const bool is_there = tree && state->chunks > 0;
  if (!is_there && (session.session.recording_chunks() > 0 || !must_exist)) {
    tombstone.bytes = session.session.recording_bytes();
    tombstone.chunks = session.session.recording_chunks();
    Result<std::string> root = sealed_root(id);
    if (!root) return fail(root);
    tombstone.deletion.set_root(std::move(*root));
    return tombstone;
  }
  if (!tree) return fail(tree);
  if (!is_there) return fail(Errc::kNotFound, fmt::format("there is no recording of session {}", id));
  tombstone.bytes = state->bytes;
  tombstone.chunks = state->chunks;
  tombstone.deletion.set_root(to_hex(tree->tree.root(tree->tree.size())));
  const std::string& certificate = tree->opening.certificate();
  // Should its node turn out to have been in wrong hands, the file can still be revoked.
  const Result<std::string> serial = certificate.empty() ? "" : recorder::serial_of_certificate(certificate);
  if (serial) tombstone.certificate_serial = *serial;
  return tombstone;
}

Result<void> Recordings::bury(Removal& removal) {
  const Hold hold = lock_tree(removal.session_id);
  const Result<SessionRecord> session = store_->find_session(removal.session_id);
  if (!session) return fail(session);
  Result<Tombstone> tombstone = session->session.has_deletion()
                                    ? Tombstone{.session_id = removal.session_id}
                                    : tombstone_of(*session, removal.deletion.rule().empty());
  if (!tombstone) return fail(tombstone);
  removal.deletion.set_root(tombstone->deletion.root());
  tombstone->deletion = removal.deletion;
  tombstone->is_early = removal.is_early;
  tell(session->session, *tombstone, removal.event);
  const Events events{removal.event};
  if (Result<void> buried = store_->delete_recording(*tombstone, events); !buried) return buried;
  *hold = RecordingTree();
  log_.info("recording.deleted", kv("session", removal.session_id), kv("by", removal.deletion.by()),
            kv("rule", removal.deletion.rule()), kv("bytes", tombstone->bytes));
  return {};
}

Result<void> Recordings::erase(const std::set<std::string>& session_ids) {
  const Result<void> erased = chunks_->remove(session_ids);
  // Behind the chunks: who derives from them meanwhile looks in the end whether they are still there.
  for (const std::string& id : session_ids) derived_.forget(id);
  const std::scoped_lock lock(mutex_);
  if (!erased) {
    unerased_.insert(session_ids.begin(), session_ids.end());
    log_.error("recording.unerased", kv("recordings", session_ids.size()), kv_error(erased.error()));
    return fail(Errc::kUnavailable, fmt::format("the recording is deleted, but the disk keeps its files ({}); this is "
                                                "tried again until it gives them up",
                                                erased.error().message));
  }
  for (const std::string& id : session_ids) unerased_.erase(id);
  return {};
}

Result<void> Recordings::remove(Removal removal) {
  if (Result<void> buried = bury(removal); !buried) return buried;
  return erase({removal.session_id});
}

Result<size_t> Recordings::remove(std::vector<Removal> removals) {
  std::set<std::string> buried;
  for (Removal& removal : removals) {
    if (const Result<void> done = bury(removal); done) {
      buried.insert(removal.session_id);
    } else if (done.error().code == Errc::kUnavailable) {
      if (!buried.empty()) std::ignore = erase(buried);
      return fail(done);
    } else {
      log_.warn("recording.undeleted", kv("session", removal.session_id), kv_error(done.error()));
    }
  }
  if (buried.empty()) return size_t{0};
  if (Result<void> erased = erase(buried); !erased) return fail(erased);
  return buried.size();
}

Result<void> Recordings::erase_rest() {
  std::set<std::string> rest;
  {
    const std::scoped_lock lock(mutex_);
    rest = unerased_;
  }
  return rest.empty() ? Result<void>() : erase(rest);
}

}  // namespace cairn::auth
