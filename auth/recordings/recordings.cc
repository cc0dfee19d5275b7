#include "auth/recordings/recordings.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "auth/recordings/session_facts.h"
#include "base/bytes.h"

namespace cairn::auth {
namespace {

// How far into a recording auth looks for the first channel: it is opened at once or, by a client that only
// multiplexes, much later.
constexpr uint64_t kCommandSearchChunks = 8;

bool is_worth_decoding(const recorder::ChunkHeader& header, const v1::Session& session) {
  return header.number == 0 || header.is_final || (session.command().empty() && header.number < kCommandSearchChunks);
}

}  // namespace

Result<SessionRecord> Recordings::authorized_session(const std::string& node_id, const std::string& session_id) {
  if (!is_uuid(session_id)) return fail(Errc::kInvalid, "session_id is no UUID");
  Result<SessionRecord> session = store_->find_session(session_id);
  if (session && session->session.node_id() != node_id)
    return fail(Errc::kDenied, fmt::format("session {} was not authorized for this node", session_id));
  return session;
}

Result<RecordingState> Recordings::open_upload(const std::string& node_id, const std::string& session_id) {
  const Result<SessionRecord> session = authorized_session(node_id, session_id);
  if (!session) return fail(session);
  const Result<RecordingState> state = chunks_->state(session_id);
  if (!state) return fail(state);
  // The crash that left this came between the chunk and the row.
  if (state->is_complete && !session->session.recording_complete()) {
    if (Result<void> caught_up = reconcile_one(session_id, true); !caught_up) return fail(caught_up);
  }
  return *state;
}

Result<RecordingState> Recordings::upload(const std::string& node_id, const std::string& session_id, uint64_t number,
                                          std::string_view chunk) {
  const Result<SessionRecord> session = authorized_session(node_id, session_id);
  if (!session) return fail(session);
  const Result<recorder::ChunkHeader> header = recorder::check_chunk(chunk);
  if (!header) return fail(Errc::kInvalid, fmt::format("chunk {}: {}", number, header.error().message));
  if (header->session != uuid_bytes(session_id))
    return fail(Errc::kInvalid, fmt::format("chunk {} belongs to session {}", number, uuid_text(header->session)));
  if (header->number != number)
    return fail(Errc::kInvalid, fmt::format("chunk {} says that it is number {}", number, header->number));
  const Result<RecordingState> before = chunks_->state(session_id);
  if (!before) return fail(before);
  if (number < before->chunks) return open_upload(node_id, session_id);

  recorder::Batch batch;
  if (is_worth_decoding(*header, session->session)) {
    Result<recorder::Batch> decoded = recorder::decode_chunk(chunk);
    if (!decoded) return fail(Errc::kInvalid, fmt::format("chunk {}: {}", number, decoded.error().message));
    batch = std::move(*decoded);
    if (Result<void> right = check_batch(session->session, *header, batch); !right) return fail(right);
  }
  Result<RecordingState> stored = chunks_->append(session_id, *header, chunk);
  if (!stored) return stored;
  if (Result<void> learned = learn(*session, *header, batch); !learned) return fail(learned);
  return stored;
}

Result<void> Recordings::learn(const SessionRecord& session, const recorder::ChunkHeader& header,
                               const recorder::Batch& batch) {
  const std::string& id = session.session.id();
  const std::string command = first_command(batch);
  int64_t start_wall_s = session.session.start_wall_s();
  if (header.number == 0) start_wall_s = start_of(batch);
  if (header.number == 0 || (!command.empty() && session.session.command().empty())) {
    if (Result<void> begun = store_->begin_session(id, start_wall_s, command); !begun) return begun;
  }
  if (!header.is_final) return {};
  return finish(session, batch.events(batch.events_size() - 1));
}

Result<void> Recordings::finish(const SessionRecord& session, const recorder::Event& end) {
  const std::string& id = session.session.id();
  const Result<recorder::Batch> first = first_batch(id);
  if (!first) return fail(first, "read the beginning of the recording");
  const Result<RecordingState> state = chunks_->state(id);
  if (!state) return fail(state);
  const SessionEnd facts{.end_wall_s = end_of(*first, end),
                         .reason = std::string(reason_text(end.end().reason())),
                         .bytes = state->bytes,
                         .chunks = state->chunks};
  AuditEvent event = end_event(session.session, facts, end.end());
  event.set_wall_ns(clock_->wall_ns());
  const Events events{std::move(event)};
  return store_->end_session(id, facts, events);
}

Result<recorder::Batch> Recordings::first_batch(const std::string& session_id) {
  const Result<std::string> bytes = chunks_->read(session_id, 0, recorder::kMaxChunkBytes);
  if (!bytes) return fail(bytes);
  const Result<recorder::ChunkHeader> header = recorder::parse_chunk_header(*bytes);
  if (!header) return fail(header);
  Result<recorder::Batch> batch = recorder::decode_chunk(std::string_view(*bytes).substr(0, header->size()));
  if (batch && (batch->events_size() == 0 || !batch->events(0).has_begin()))
    return fail(Errc::kCorrupt, "the recording does not begin with its Begin");
  return batch;
}

Result<recorder::Batch> Recordings::last_batch(const std::string& session_id, const RecordingState& state) {
  uint64_t offset = 0;
  for (;;) {
    const Result<std::string> bytes = chunks_->read(session_id, offset, recorder::kChunkHeaderBytes);
    if (!bytes) return fail(bytes);
    const Result<recorder::ChunkHeader> header = recorder::parse_chunk_header(*bytes);
    if (!header) return fail(header);
    if (offset + header->size() < state.bytes) {
      offset += header->size();
      continue;
    }
    const Result<std::string> chunk = chunks_->read(session_id, offset, header->size());
    if (!chunk) return fail(chunk);
    Result<recorder::Batch> batch = recorder::decode_chunk(*chunk);
    if (batch && (batch->events_size() == 0 || !batch->events(batch->events_size() - 1).has_end()))
      return fail(Errc::kCorrupt, "the recording's final chunk does not end with its End");
    return batch;
  }
}

Result<void> Recordings::reconcile() {
  const Result<std::vector<std::string>> open = store_->incomplete_sessions();
  if (!open) return fail(open);
  const Result<std::vector<std::string>> known = store_->session_ids("", UINT32_MAX);
  if (!known) return fail(known);
  const Result<std::vector<std::string>> stored = chunks_->session_ids();
  if (!stored) return fail(stored);
  const std::set<std::string> with_row(known->begin(), known->end());
  const std::set<std::string> incomplete(open->begin(), open->end());
  for (const std::string& id : *stored) {
    const bool has_row = with_row.contains(id);
    if (has_row && !incomplete.contains(id)) continue;
    if (const Result<void> caught_up = reconcile_one(id, has_row); !caught_up)
      log_.error("recording.damaged", kv("session", id), kv_error(caught_up.error()));
  }
  return {};
}

Result<void> Recordings::reconcile_one(const std::string& session_id, bool has_row) {
  const Result<RecordingState> state = chunks_->state(session_id);
  if (!state) return fail(state);
  if (state->chunks == 0) return {};
  const Result<recorder::Batch> first = first_batch(session_id);
  if (!first) return fail(first);
  if (!has_row) {
    if (Result<void> added = add_row_from(session_id, *first); !added) return added;
  }
  const Result<SessionRecord> session = store_->find_session(session_id);
  if (!session) return fail(session);
  if (Result<void> begun = store_->begin_session(session_id, start_of(*first), first_command(*first)); !begun)
    return begun;
  if (!state->is_complete) return {};
  const Result<recorder::Batch> last = last_batch(session_id, *state);
  if (!last) return fail(last);
  return finish(*session, last->events(last->events_size() - 1));
}

Result<void> Recordings::add_row_from(const std::string& session_id, const recorder::Batch& first) {
  const recorder::Begin& begin = first.events(0).begin();
  SessionRecord record;
  record.session.set_id(session_id);
  record.session.set_user(begin.user());
  record.session.set_login(begin.login());
  record.session.set_node_id(begin.node_id());
  record.session.set_node_name(begin.node_name());
  record.session.set_client_address(begin.client_address());
  record.session.set_start_wall_s(start_of(first));
  record.authorized_wall_ns = begin.wall_ns();
  log_.warn("recording.without_row", kv("session", session_id), kv("user", begin.user()));
  return store_->add_session(record, {});
}

}  // namespace cairn::auth
