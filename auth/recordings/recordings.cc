#include "auth/recordings/recordings.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "auth/recordings/session_facts.h"
#include "base/bytes.h"
#include "recorder/chunk_content.h"
#include "recorder/proof/certificate.h"
#include "recorder/proof/checkpoint.h"
#include "recorder/session_signer.h"
#include "recorder/tail_record.h"

namespace cairn::auth {
namespace {

// Of recordings that are being uploaded; beyond it those that nobody works with are read again when they are needed.
constexpr size_t kMaxTrees = 4096;
// How far into a recording auth looks for the first channel: it is opened at once or, by a client that only
// multiplexes, much later.
constexpr uint64_t kCommandSearchChunks = 8;

// Of two checkpoints over the same chunks.
bool signs_more_of_open_chunk(const recorder::Checkpoint& one, const recorder::Checkpoint& other) {
  if (one.size != other.size || !one.open) return false;
  return !other.open || one.open->bytes > other.open->bytes;
}

// What the row lacks the recording may tell; of a shell it has no command either.
bool is_row_behind(const v1::Session& row, const RecordingState& state) {
  if (row.recording_complete()) return false;
  return state.is_complete || row.start_wall_s() == 0 || row.command().empty();
}

// As the node is to see it: all is here, so that it forgets its copy.
RecordingState state_of_deleted(const v1::Session& session) {
  return {.chunks = session.recording_chunks(),
          .bytes = session.recording_bytes(),
          .is_complete = true,
          .is_archived = false};
}

}  // namespace

// With the recording held: whether it has been deleted must stay as it is.
Result<SessionRecord> Recordings::authorized_session(const std::string& node_id, const std::string& session_id) {
  Result<SessionRecord> session = store_->find_session(session_id);
  if (session && session->session.node_id() != node_id)
    return fail(Errc::kDenied, fmt::format("session {} was not authorized for this node", session_id));
  return session;
}

Result<RecordingState> Recordings::open_upload(const std::string& node_id, const std::string& session_id) {
  if (!is_uuid(session_id)) return fail(Errc::kInvalid, "session_id is no UUID");
  const Hold hold = lock_tree(session_id);
  return stand_of_upload(node_id, session_id);
}

Result<RecordingState> Recordings::stand_of_upload(const std::string& node_id, const std::string& session_id) {
  const Result<SessionRecord> session = authorized_session(node_id, session_id);
  if (!session) return fail(session);
  if (session->session.has_deletion()) return state_of_deleted(session->session);
  const Result<RecordingState> state = chunks_->state(session_id);
  if (!state) return fail(state);
  // A crash, or a database that refused, came between the chunk and the row.
  if (state->chunks > 0 && is_row_behind(session->session, *state)) {
    if (Result<void> caught_up = reconcile_one(session_id, true); !caught_up) return fail(caught_up);
  }
  return *state;
}

Recordings::Hold Recordings::lock_tree(const std::string& session_id) {
  Hold hold;
  {
    const std::scoped_lock lock(mutex_);
    if (trees_.size() > kMaxTrees) std::erase_if(trees_, [](const auto& each) { return each.second.use_count() == 1; });
    std::shared_ptr<Held>& held = trees_[session_id];
    if (!held) held = std::make_shared<Held>();
    hold.held = held;
  }
  hold.lock = std::unique_lock(hold.held->mutex);
  return hold;
}

// Read from the disk once.
Result<void> Recordings::load_tree(const std::string& session_id, RecordingTree& tree) {
  const Result<RecordingState> state = chunks_->state(session_id);
  if (!state) return fail(state);
  if (tree.tree.size() == state->chunks) return {};
  Result<RecordingTree> read = read_tree(*chunks_, session_id, *state);
  if (!read) return fail(read);
  tree = std::move(*read);
  return {};
}

Result<void> Recordings::check_chunk(const SessionRecord& session, const recorder::ChunkView& chunk,
                                     const RecordingTree& tree) {
  const std::string& id = session.session.id();
  if (chunk.header.session != uuid_bytes(id))
    return fail(Errc::kInvalid, fmt::format("it belongs to session {}", uuid_text(chunk.header.session)));
  if (chunk.header.type == recorder::ChunkType::kProof) return fail(Errc::kInvalid, "nodes prove nothing");
  if (chunk.header.archived) return fail(Errc::kInvalid, "nodes archive nothing");
  if (chunk.header.number == 0) {
    const Result<recorder::Opening> opening = recorder::read_opening(chunk);
    if (!opening) return fail(Errc::kInvalid, opening.error().message);
    return check_begin(session.session, opening->begin().begin());
  }
  if (chunk.header.is_final()) {
    if (const Result<recorder::Closing> closing = recorder::read_closing(chunk); !closing)
      return fail(Errc::kInvalid, closing.error().message);
  }
  if (std::string(chunk.header.previous.begin(), chunk.header.previous.end()) != tree.last_leaf)
    return fail(Errc::kInvalid, "it does not continue the chunk before it (their hashes differ)");
  return {};
}

Result<RecordingState> Recordings::upload(const std::string& node_id, const std::string& session_id, uint64_t number,
                                          std::string_view bytes) {
  if (!is_uuid(session_id)) return fail(Errc::kInvalid, "session_id is no UUID");
  const Hold tree = lock_tree(session_id);
  const Result<SessionRecord> session = authorized_session(node_id, session_id);
  if (!session) return fail(session);
  if (session->session.has_deletion()) return state_of_deleted(session->session);
  const Result<recorder::ChunkView> chunk = recorder::check_chunk(bytes);
  if (!chunk) return fail(Errc::kInvalid, fmt::format("chunk {}: {}", number, chunk.error().message));
  if (chunk->header.number != number)
    return fail(Errc::kInvalid, fmt::format("chunk {} says that it is number {}", number, chunk->header.number));
  if (Result<void> loaded = load_tree(session_id, *tree); !loaded) return fail(loaded);
  const Result<RecordingState> before = chunks_->state(session_id);
  if (!before) return fail(before);
  if (number < before->chunks) return stand_of_upload(node_id, session_id);
  if (number > before->chunks)
    return fail(Errc::kInvalid, fmt::format("chunk {} where {} is next", number, before->chunks));
  if (Result<void> right = check_chunk(*session, *chunk, *tree); !right)
    return fail(right, fmt::format("chunk {}", number));

  Result<RecordingState> stored = chunks_->append(session_id, chunk->header, bytes);
  if (!stored) return stored;
  RecordingTree& grown = *tree;
  grown.last_leaf = recorder::leaf_hash(*chunk);
  grown.tree.add(grown.last_leaf);
  if (number == 0) grown.opening = recorder::read_opening(*chunk).value();
  if (Result<void> learned = learn(*session, *chunk, grown); !learned) return fail(learned);
  return stored;
}

// None when only others can read them.
Result<recorder::Events> Recordings::readable_events(const recorder::ChunkView& chunk) {
  const Result<recorder::Opening> opening = read_stored_opening(*chunks_, uuid_text(chunk.header.session));
  if (!opening) return fail(opening);
  std::shared_ptr<const recorder::RecordingKeys> keys;
  if (!opening->sealed_secret().empty()) {
    Result<std::shared_ptr<const recorder::RecordingKeys>> opened = keys_of(uuid_text(chunk.header.session), *opening);
    if (!opened) return recorder::Events();
    keys = std::move(*opened);
  }
  Result<recorder::ChunkContent> content = recorder::read_chunk(chunk, keys.get());
  if (!content) return fail(content);
  return std::move(content->events);
}

Result<void> Recordings::learn(const SessionRecord& session, const recorder::ChunkView& chunk,
                               const RecordingTree& tree) {
  const std::string& id = session.session.id();
  if (chunk.header.number == 0) {
    const Result<recorder::Opening> opening = recorder::read_opening(chunk);
    if (!opening) return fail(opening);
    return store_->begin_session(id, start_of(*opening), "");
  }
  if (chunk.header.has_kind(recorder::Event::kChannelOpened)) {
    // A chunk that cannot be read is evidence all the same.
    const Result<recorder::Events> events = readable_events(chunk);
    if (!events) log_.warn("recording.unreadable", kv("session", id), kv_error(events.error()));
    if (events) {
      if (Result<void> learned = learn_command(session, *events); !learned) return learned;
    }
  }
  if (!chunk.header.is_final()) return {};
  const Result<recorder::Closing> closing = recorder::read_closing(chunk);
  if (!closing) return fail(closing);
  return finish(session, closing->end(), tree);
}

Result<void> Recordings::learn_command(const SessionRecord& session, const recorder::Events& events) {
  const std::string command = first_command(events);
  if (command.empty() || !session.session.command().empty()) return {};
  return store_->begin_session(session.session.id(), session.session.start_wall_s(), command);
}

Result<std::string> Recordings::stored_command(const std::string& session_id, const RecordingState& state) {
  uint64_t offset = 0;
  for (uint64_t number = 0; number < kCommandSearchChunks && offset < state.bytes; ++number) {
    const Result<std::string> bytes = chunks_->read(session_id, offset, recorder::kMaxHeaderBytes);
    if (!bytes) return fail(bytes);
    const Result<recorder::ChunkHeader> header = recorder::parse_chunk_header(*bytes);
    if (!header) return fail(header);
    if (header->has_kind(recorder::Event::kChannelOpened)) {
      const Result<std::string> whole = chunks_->read(session_id, offset, header->size());
      if (!whole) return fail(whole);
      const Result<recorder::ChunkView> chunk = recorder::check_chunk(*whole);
      if (!chunk) return fail(chunk);
      const Result<recorder::Events> events = readable_events(*chunk);
      return events ? first_command(*events) : std::string();
    }
    offset += header->size();
  }
  return std::string();
}

Result<void> Recordings::finish(const SessionRecord& session, const recorder::Event& end, const RecordingTree& tree) {
  const std::string& id = session.session.id();
  const Result<RecordingState> state = chunks_->state(id);
  if (!state) return fail(state);
  if (Result<void> proved = prove(id, tree); !proved) return proved;
  const SessionEnd facts{.end_wall_s = end_of(tree.opening, end),
                         .reason = std::string(reason_text(end.end().reason())),
                         .bytes = state->bytes,
                         .chunks = state->chunks};
  AuditEvent event = end_event(session.session, facts, end.end());
  event.set_wall_ns(clock_->wall_ns());
  // Into the cluster's own tree with it: the seal of the recording.
  (*event.mutable_fields())["root"] = to_hex(tree.tree.root(tree.tree.size()));
  const Events events{std::move(event)};
  return store_->end_session(id, facts, events);
}

Result<std::string> Recordings::last_chunk(const std::string& session_id, const RecordingState& state) {
  for (uint64_t offset = 0;;) {
    const Result<std::string> bytes = chunks_->read(session_id, offset, recorder::kMaxHeaderBytes);
    if (!bytes) return fail(bytes);
    const Result<recorder::ChunkHeader> header = recorder::parse_chunk_header(*bytes);
    if (!header) return fail(header);
    if (offset + header->size() == state.bytes) return chunks_->read(session_id, offset, header->size());
    offset += header->size();
  }
}

// Auth's own word on the whole, beside the session's: what a dead worker could not sign, auth has at least seen.
Result<void> Recordings::prove(const std::string& session_id, const RecordingTree& tree) {
  const Result<RecordingState> state = chunks_->state(session_id);
  if (!state) return fail(state);
  const Result<std::string> last = last_chunk(session_id, *state);
  if (!last) return fail(last);
  const Result<recorder::ChunkView> view = recorder::check_chunk(*last);
  if (!view) return fail(view);
  const Result<StoredTail> tail = last_tail(session_id);
  if (!tail) return fail(tail);
  const recorder::MerkleTree& leaves = tree.tree;
  recorder::Proof proof;
  proof.set_checkpoint(tail->checkpoint);
  proof.set_seal(sealed(recorder::recording_origin(tree.opening.begin().begin().cluster(), session_id), leaves));
  proof.set_cosigner(keys_->signer_certificate());
  for (uint64_t i = 0; i < leaves.size(); ++i) proof.mutable_leaves()->append(leaves.leaf(i));
  // Of one whose row alone is behind (a database restored from an older backup).
  const Result<std::string> before = chunks_->proof(session_id);
  const Result<recorder::Proof> proved = before && !before->empty() ? decode_proof(*before) : recorder::Proof();
  if (proved && proved->has_archive()) *proof.mutable_archive() = proved->archive();
  Result<void> put = chunks_->put_proof(session_id, encode_proof(tree, view->header, proof));
  if (put && on_sealed_) on_sealed_(session_id);
  return put;
}

// Auth's word, as of now, that these are the leaves.
std::string Recordings::sealed(std::string origin, const recorder::MerkleTree& leaves) const {
  recorder::SignedNote seal{
      .text = recorder::checkpoint_text({.origin = std::move(origin),
                                         .size = leaves.size(),
                                         .root = leaves.root(leaves.size()),
                                         .wall_ns = static_cast<uint64_t>(std::max<int64_t>(clock_->wall_ns(), 0))}),
      .signatures = {}};
  keys_->cosign(seal, clock_->wall_s());
  return recorder::note_text(seal);
}

// Once there is a proof, the session's last checkpoint stands in it and nowhere else.
Result<StoredTail> Recordings::last_tail(const std::string& session_id) {
  Result<StoredTail> tail = chunks_->tail(session_id);
  if (!tail || !tail->checkpoint.empty()) return tail;
  const Result<std::string> proof = chunks_->proof(session_id);
  if (!proof) return fail(proof);
  if (proof->empty()) return tail;
  const Result<recorder::Proof> proved = decode_proof(*proof);
  if (!proved) return fail(proved);
  tail->checkpoint = proved->checkpoint();
  return tail;
}

Result<uint64_t> Recordings::upload_tail(const std::string& node_id, const v1::UploadTailRequest& request) {
  const std::string& id = request.session_id();
  if (!is_uuid(id)) return fail(Errc::kInvalid, "session_id is no UUID");
  const Hold tree = lock_tree(id);
  const Result<SessionRecord> session = authorized_session(node_id, id);
  if (!session) return fail(session);
  if (session->session.has_deletion()) return request.offset() + request.pieces().size();
  if (Result<void> loaded = load_tree(id, *tree); !loaded) return fail(loaded);
  const Result<StoredTail> before = last_tail(id);
  if (!before) return fail(before);
  // A chunk of which the rest has come meanwhile, or another place than where we stand: the node goes on from there.
  if (request.chunk() != before->chunk || request.offset() != before->pieces.size()) return before->pieces.size();
  for (std::string_view rest = request.pieces(); !rest.empty();) {
    const Result<recorder::ParsedTailRecord> record = recorder::parse_tail_record(rest);
    if (!record || record->record.type != recorder::TailRecordType::kPiece || record->record.chunk != before->chunk)
      return fail(Errc::kInvalid, "the tail holds something else than pieces of the open chunk");
    rest.remove_prefix(record->bytes.size());
  }
  if (before->pieces.size() + request.pieces().size() > recorder::kMaxPayloadBytes)
    return fail(Errc::kInvalid, "the open chunk's pieces pass the limit of a chunk");
  StoredTail part{.chunk = before->chunk, .start = request.start(), .pieces = request.pieces(), .checkpoint = {}};
  if (!request.checkpoint().empty()) {
    Result<std::string> note = cosigned(*tree, request, *before);
    if (!note) return fail(note);
    part.checkpoint = std::move(*note);
  }
  const Result<uint64_t> stored = chunks_->append_tail(id, part);
  if (!stored) return stored;
  if (session->session.command().empty()) {
    if (Result<void> learned =
            learn_from_pieces(*session, (*tree).opening, before->chunk, before->pieces + part.pieces);
        !learned)
      return fail(learned);
  }
  const Result<RecordingState> state = chunks_->state(id);
  // The session's last word comes after its last chunk.
  if (state && state->is_complete && !part.checkpoint.empty()) {
    if (Result<void> proved = prove(id, *tree); !proved) return fail(proved);
  }
  return stored;
}

// What a live session's first command is.
Result<void> Recordings::learn_from_pieces(const SessionRecord& session, const recorder::Opening& opening,
                                           uint64_t chunk, std::string_view pieces) {
  if (chunk >= kCommandSearchChunks) return {};
  std::shared_ptr<const recorder::RecordingKeys> keys;
  if (!opening.sealed_secret().empty()) {
    Result<std::shared_ptr<const recorder::RecordingKeys>> opened = keys_of(session.session.id(), opening);
    if (!opened) return {};
    keys = std::move(*opened);
  }
  recorder::PieceReader reader(chunk, keys.get());
  while (!pieces.empty()) {
    const Result<recorder::ParsedTailRecord> record = recorder::parse_tail_record(pieces);
    const Result<recorder::Events> events = record ? reader.add(record->bytes) : fail(record);
    if (!events) {
      log_.warn("recording.unreadable", kv("session", session.session.id()), kv_error(events.error()));
      return {};
    }
    if (Result<void> learned = learn_command(session, *events); !learned) return learned;
    pieces.remove_prefix(record->bytes.size());
  }
  return {};
}

// The session's checkpoint with auth's signature beside it, once it is known to speak of what is stored.
Result<std::string> Recordings::cosigned(const RecordingTree& tree, const v1::UploadTailRequest& request,
                                         const StoredTail& before) {
  Result<recorder::SignedNote> note = recorder::parse_note(request.checkpoint());
  if (!note) return fail(Errc::kInvalid, note.error().message);
  const Result<recorder::Checkpoint> said = recorder::parse_checkpoint(note->text);
  if (!said) return fail(Errc::kInvalid, said.error().message);
  const std::string origin = recorder::recording_origin(tree.opening.begin().begin().cluster(), request.session_id());
  const Result<std::string> key = recorder::ed25519_key_of(tree.opening.certificate());
  if (!key) return fail(Errc::kInvalid, key.error().message);
  if (said->origin != origin || !recorder::is_signed_by(*note, {.name = origin, .public_key = *key}))
    return fail(Errc::kInvalid, "the checkpoint is not signed by the session's key");
  if (said->size > tree.tree.size() || tree.tree.root(said->size) != said->root)
    return fail(Errc::kInvalid, fmt::format("the checkpoint of {} chunks does not fit the {} that are stored",
                                            said->size, tree.tree.size()));
  const auto& open = said->open;
  if (open && open->chunk == before.chunk) {
    const std::string pieces = before.pieces + request.pieces();
    if (open->bytes > pieces.size() || sha256(std::string_view(pieces).substr(0, open->bytes)) != open->hash)
      return fail(Errc::kInvalid, "the checkpoint does not fit the open chunk's pieces");
  }
  if (const Result<recorder::SignedNote> last = recorder::parse_note(before.checkpoint)) {
    const Result<recorder::Checkpoint> earlier = recorder::parse_checkpoint(last->text);
    if (earlier && earlier->size > said->size)
      return fail(Errc::kInvalid, fmt::format("a checkpoint of {} chunks after one of {}", said->size, earlier->size));
    // What auth has seen signed stays signed, though the node's tail may have lost it since.
    if (earlier && signs_more_of_open_chunk(*earlier, *said)) return before.checkpoint;
  }
  keys_->cosign(*note, clock_->wall_s());
  return recorder::note_text(*note);
}

Result<uint64_t> Recordings::proof_bytes(const std::string& session_id) {
  const Result<std::string> proof = chunks_->proof(session_id);
  if (!proof) return fail(proof);
  return proof->size();
}

Result<std::string> Recordings::root_to_prove(const std::string& session_id) {
  const Result<std::string> stored = chunks_->proof(session_id);
  if (!stored || stored->empty()) return stored;
  const Result<recorder::ChunkView> chunk = recorder::check_chunk(*stored);
  const Result<recorder::Proof> proof = chunk ? recorder::read_proof(*chunk) : fail(chunk);
  if (!proof) return fail(proof);
  if (proof->has_audit()) return std::string();
  const Result<recorder::SignedNote> seal = recorder::parse_note(proof->seal());
  const Result<recorder::Checkpoint> sealed = seal ? recorder::parse_checkpoint(seal->text) : fail(seal);
  if (!sealed) return fail(sealed);
  return to_hex(sealed->root);
}

// Nobody makes another proof meanwhile.
Result<void> Recordings::change_proof(const std::string& session_id,
                                      const std::function<void(recorder::Proof&)>& change) {
  const Hold tree = lock_tree(session_id);
  if (Result<void> loaded = load_tree(session_id, *tree); !loaded) return loaded;
  const Result<std::string> stored = chunks_->proof(session_id);
  if (!stored) return fail(stored);
  const Result<recorder::ChunkView> chunk = recorder::check_chunk(*stored);
  if (!chunk) return fail(chunk);
  Result<recorder::Proof> proof = recorder::read_proof(*chunk);
  if (!proof) return fail(proof);
  change(*proof);
  return chunks_->put_proof(session_id, encode_proof(*tree, chunk->header, *proof));
}

Result<void> Recordings::add_inclusion(const std::string& session_id, const recorder::AuditInclusion& inclusion) {
  return change_proof(session_id, [&](recorder::Proof& proof) { *proof.mutable_audit() = inclusion; });
}

Result<std::string> Recordings::seal_to_timestamp(const std::string& session_id) {
  const Result<SessionRecord> session = store_->find_session(session_id);
  if (!session) return fail(session);
  if (session->session.has_deletion()) return fail(Errc::kNotFound, "the recording is deleted");
  const Result<std::string> stored = chunks_->proof(session_id);
  if (!stored || stored->empty()) return stored;
  const Result<recorder::Proof> proof = decode_proof(*stored);
  if (!proof) return fail(proof);
  return proof->timestamp().empty() ? proof->seal() : std::string();
}

Result<void> Recordings::add_timestamp(const std::string& session_id, const std::string& seal,
                                       const std::string& response) {
  return change_proof(session_id, [&](recorder::Proof& proof) {
    if (proof.seal() == seal) proof.set_timestamp(response);
  });
}

Result<std::string> Recordings::certificate_serial(const std::string& session_id) {
  const Result<SessionRecord> session = store_->find_session(session_id);
  if (!session) return fail(session);
  if (session->session.has_deletion()) return session->certificate_serial;
  const Result<recorder::Opening> opening = read_stored_opening(*chunks_, session_id);
  if (!opening) return fail(opening);
  if (opening->certificate().empty()) return std::string();
  return recorder::serial_of_certificate(opening->certificate());
}

Result<std::string> Recordings::secret(const std::string& session_id) {
  const Result<RecordingState> state = chunks_->state(session_id);
  if (!state) return fail(state);
  if (state->chunks == 0) return fail(Errc::kNotFound, "nothing of the recording is here yet");
  const Result<recorder::Opening> opening = read_stored_opening(*chunks_, session_id);
  if (!opening) return fail(opening);
  if (opening->sealed_secret().empty()) return fail(Errc::kNotFound, "the recording is not encrypted");
  const Result<std::shared_ptr<const recorder::RecordingKeys>> keys = keys_of(session_id, *opening);
  if (!keys) return fail(keys);
  return std::string((*keys)->secret());
}

}  // namespace cairn::auth
