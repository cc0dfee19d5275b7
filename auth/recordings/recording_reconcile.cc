#include <set>
#include <tuple>

#include "auth/recordings/recordings.h"
#include "auth/recordings/session_facts.h"
#include "recorder/chunk_content.h"

namespace cairn::auth {

Result<void> Recordings::reconcile() {
  const Result<std::vector<std::string>> open = store_->incomplete_sessions();
  if (!open) return fail(open);
  const Result<std::vector<std::string>> known = store_->session_ids("", UINT32_MAX);
  if (!known) return fail(known);
  const Result<std::vector<std::string>> deleted = store_->deleted_recordings();
  if (!deleted) return fail(deleted);
  const Result<std::vector<std::string>> stored = chunks_->session_ids();
  if (!stored) return fail(stored);
  const std::set<std::string> with_tombstone(deleted->begin(), deleted->end());
  for (const std::string& id : with_tombstone) derived_.forget(id);
  std::set<std::string> left;
  const std::set<std::string> with_row(known->begin(), known->end());
  const std::set<std::string> incomplete(open->begin(), open->end());
  for (const std::string& id : *stored) {
    if (with_tombstone.contains(id)) {
      left.insert(id);
      continue;
    }
    const bool has_row = with_row.contains(id);
    if (has_row && !incomplete.contains(id)) continue;
    if (const Result<void> caught_up = reconcile_one(id, has_row); !caught_up)
      log_.error("recording.damaged", kv("session", id), kv_error(caught_up.error()));
  }
  if (left.empty()) return {};
  log_.warn("recording.erasing_rest", kv("recordings", left.size()));
  std::ignore = erase(left);  // logged, and tried again
  return {};
}

Result<void> Recordings::reconcile_one(const std::string& session_id, bool has_row) {
  const Result<RecordingState> state = chunks_->state(session_id);
  if (!state) return fail(state);
  if (state->chunks == 0) return {};
  const Result<recorder::Opening> opening = read_stored_opening(*chunks_, session_id);
  if (!opening) return fail(opening);
  if (!has_row) {
    if (Result<void> added = add_row_from(session_id, *opening); !added) return added;
  }
  const Result<SessionRecord> session = store_->find_session(session_id);
  if (!session) return fail(session);
  const Result<std::string> command = stored_command(session_id, *state);
  if (!command) return fail(command);
  if (Result<void> begun = store_->begin_session(session_id, start_of(*opening), *command); !begun) return begun;
  if (!state->is_complete) return {};
  const Result<std::string> last = last_chunk(session_id, *state);
  if (!last) return fail(last);
  const Result<recorder::ChunkView> view = recorder::check_chunk(*last);
  if (!view) return fail(view);
  const Result<recorder::Closing> closing = recorder::read_closing(*view);
  if (!closing) return fail(closing);
  const Result<RecordingTree> tree = read_tree(*chunks_, session_id, *state);
  if (!tree) return fail(tree);
  return finish(*session, closing->end(), *tree);
}

Result<void> Recordings::add_row_from(const std::string& session_id, const recorder::Opening& opening) {
  const recorder::Begin& begin = opening.begin().begin();
  SessionRecord record;
  record.session.set_id(session_id);
  record.session.set_user(begin.user());
  record.session.set_login(begin.login());
  record.session.set_node_id(begin.node_id());
  record.session.set_node_name(begin.node_name());
  record.session.set_client_address(begin.client_address());
  record.session.set_start_wall_s(start_of(opening));
  record.authorized_wall_ns = begin.wall_ns();
  log_.warn("recording.without_row", kv("session", session_id), kv("user", begin.user()));
  return store_->add_session(record, {});
}

}  // namespace cairn::auth
