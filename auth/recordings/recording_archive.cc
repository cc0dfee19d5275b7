#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "auth/recordings/recordings.h"
#include "base/bytes.h"
#include "recorder/archive/recompress_process.h"
#include "recorder/proof/checkpoint.h"
#include "recorder/session_signer.h"

namespace cairn::auth {
namespace {

// Below it the rewriting is worth more than what it frees.
constexpr uint64_t kLeastGainBytes = 4096;
// What a proof may hold besides two hashes of each chunk.
constexpr size_t kProofRestBytes = size_t{64} << 10;
constexpr size_t kMaxArchivedChunks = (recorder::kMaxRawBytes - kProofRestBytes) / (2 * recorder::kHashBytes);
// What the worst chunk may take: 2 MiB, whatever is in it.
constexpr std::chrono::seconds kProcessorTime{60};
constexpr std::chrono::seconds kPatience{300};
constexpr std::chrono::seconds kPatienceOfChunk{10};

Failure recompressed_meanwhile() {
  return fail(Errc::kInvalid, "the recording was recompressed since you began to read it; begin again");
}

}  // namespace

Result<Recordings::Part> Recordings::read(const std::string& session_id, uint64_t layout, uint64_t offset,
                                          size_t limit_bytes) {
  const Result<RecordingState> state = chunks_->state(session_id);
  if (!state) return fail(state);
  Part part{.bytes = {}, .layout = state->layout(), .recording_bytes = state->bytes};
  const bool is_replaced = offset > 0 && layout != part.layout;
  if (is_replaced) {
    if (layout != 0) return recompressed_meanwhile();
    // How much there was of it is asked for, too: the proof lies behind.
    const Result<uint64_t> bytes = chunks_->replaced_bytes(session_id);
    if (!bytes) return recompressed_meanwhile();
    part.layout = 0;
    part.recording_bytes = *bytes;
  }
  if (offset < part.recording_bytes || !state->is_complete) {
    Result<std::string> bytes = is_replaced ? chunks_->read_replaced(session_id, offset, limit_bytes)
                                            : chunks_->read(session_id, offset, limit_bytes);
    if (!bytes) return fail(bytes);
    part.bytes = std::move(*bytes);
    return part;
  }
  const Result<std::string> proof = chunks_->proof(session_id);
  if (!proof) return fail(proof);
  const uint64_t behind = offset - part.recording_bytes;
  if (behind < proof->size()) part.bytes = proof->substr(behind, limit_bytes);
  return part;
}

Result<uint64_t> Recordings::offset_of(const std::string& session_id, uint64_t layout, uint64_t number,
                                       uint64_t expected) {
  const Result<RecordingState> state = chunks_->state(session_id);
  if (!state) return fail(state);
  if (!state->is_archived && layout == 0) return expected;
  if (layout != 0 && layout != state->layout()) return recompressed_meanwhile();
  uint64_t written = 0;
  for (uint64_t offset = 0; offset < state->bytes;) {
    const Result<std::string> head = chunks_->read(session_id, offset, recorder::kMaxHeaderBytes);
    if (!head) return fail(head);
    const Result<recorder::ChunkHeader> header = recorder::parse_chunk_header(*head);
    if (!header) return fail(header);
    if (header->number == number) return layout == 0 ? written : offset;
    offset += header->size();
    written += header->written_size();
  }
  if (number == state->chunks) return layout == 0 ? written : state->bytes;
  return fail(Errc::kNotFound, fmt::format("the recording has no chunk {}", number));
}

Result<Recordings::Archiving> Recordings::recompress(const std::string& session_id,
                                                     const std::atomic<bool>* is_given_up) {
  const Result<SessionRecord> session = store_->find_session(session_id);
  if (!session) return fail(session);
  const Result<RecordingState> state = chunks_->state(session_id);
  if (!state) return fail(state);
  if (session->session.has_deletion() || session->session.has_hold() || !state->is_complete) return Archiving::kNotNow;
  // A crash came between the file and the row.
  if (state->is_archived) return note_archived(*session, *state, session->session.recording_bytes());
  if (state->chunks > kMaxArchivedChunks)
    return leave_as_is(session_id, *state, "it has too many chunks for one proof");
  const Result<std::string> secret = this->secret(session_id);
  if (!secret && secret.error().code == make_error_code(Errc::kDenied))
    return leave_as_is(session_id, *state, "it is encrypted to others than auth");
  if (!secret && secret.error().code != make_error_code(Errc::kNotFound)) return fail(secret);
  const Result<std::string> proof = chunks_->proof(session_id);
  if (!proof) return fail(proof);
  if (proof->empty()) return leave_as_is(session_id, *state, "it is not sealed");
  Result<UniqueFd> file =
      recompressed(session_id, *state, secret ? std::string_view(*secret) : std::string_view(), is_given_up);
  if (!file) return fail(file);
  return put_archived(*session, *state, std::move(*file));
}

Result<UniqueFd> Recordings::recompressed(const std::string& session_id, const RecordingState& state,
                                          std::string_view secret, const std::atomic<bool>* is_given_up) {
  const Result<UniqueFd> from = chunks_->open_for_reading(session_id);
  if (!from) return fail(from);
  Result<UniqueFd> to = chunks_->make_replacement(session_id);
  if (!to) return fail(to);
  const auto chunks = std::chrono::seconds(static_cast<int64_t>(state.chunks));
  const Result<void> done =
      recorder::run_recompress_process({.from = from->get(),
                                        .to = to->get(),
                                        .secret = secret,
                                        .limits = {.cpu = kProcessorTime + chunks, .file_bytes = state.bytes},
                                        .patience = kPatience + kPatienceOfChunk * static_cast<int64_t>(state.chunks),
                                        .is_given_up = is_given_up});
  return done ? std::move(to) : Result<UniqueFd>(fail(done));
}

// Nobody deletes or seals it meanwhile.
Result<Recordings::Archiving> Recordings::put_archived(const SessionRecord& session, const RecordingState& before,
                                                       UniqueFd file) {
  const std::string& id = session.session.id();
  const Result<ArchiveTree> lies = read_archive_tree(file.get());
  if (!lies) return fail(lies, "the recompressed recording");
  const Hold tree = lock_tree(id);
  const Result<SessionRecord> now = store_->find_session(id);
  if (!now) return fail(now);
  if (now->session.has_deletion() || now->session.has_hold()) return Archiving::kNotNow;
  if (Result<void> loaded = load_tree(id, *tree); !loaded) return fail(loaded);
  const recorder::MerkleTree& sealed = (*tree).tree;
  if (lies->written.size() != sealed.size() || lies->written.root(sealed.size()) != sealed.root(sealed.size()))
    return fail(Errc::kCorrupt, "the recompressed recording does not have the root that was signed");
  if (lies->archived == 0 || lies->bytes + kLeastGainBytes > before.bytes)
    return leave_as_is(id, before, "nothing would be gained");
  // First the proof, which says nothing of a recording that is as its node wrote it: whatever power loss leaves, what
  // lies there can be proved.
  if (Result<void> signed_now = sign_archive(id, *lies); !signed_now) return fail(signed_now);
  const Result<RecordingState> placed = chunks_->replace(id, std::move(file));
  if (!placed) return fail(placed);
  return note_archived(*now, *placed, before.bytes);
}

Result<void> Recordings::sign_archive(const std::string& session_id, const ArchiveTree& lies) {
  const Result<std::string> stored = chunks_->proof(session_id);
  if (!stored) return fail(stored);
  const Result<recorder::ChunkView> chunk = recorder::check_chunk(*stored);
  if (!chunk) return fail(chunk, "the recording's proof");
  Result<recorder::Proof> proof = decode_proof(*stored);
  if (!proof) return fail(proof);
  RecordingTree tree;
  tree.tree = lies.written;
  tree.last_leaf = lies.written.leaf(lies.written.size() - 1);
  const Result<recorder::Opening> opening = read_stored_opening(*chunks_, session_id);
  if (!opening) return fail(opening);
  const recorder::MerkleTree& leaves = lies.stored;
  recording::v1::ArchiveSeal& archive = *proof->mutable_archive();
  archive.set_seal(sealed(
      recorder::archive_origin(recorder::recording_origin(opening->begin().begin().cluster(), session_id)), leaves));
  archive.clear_leaves();
  for (uint64_t i = 0; i < leaves.size(); ++i) archive.mutable_leaves()->append(leaves.leaf(i));
  return chunks_->put_proof(session_id, encode_proof(tree, chunk->header, *proof));
}

Result<Recordings::Archiving> Recordings::note_archived(const SessionRecord& session, const RecordingState& now,
                                                        uint64_t bytes_before) {
  const v1::Session& row = session.session;
  AuditEvent event;
  event.set_kind("recording.recompress");
  event.set_success(true);
  event.set_wall_ns(clock_->wall_ns());
  event.set_session_id(row.id());
  event.set_node_id(row.node_id());
  event.set_node_name(row.node_name());
  event.set_message(
      fmt::format("the recording of {}'s session on {} was recompressed: {} bytes, where its node had "
                  "written {}",
                  row.user(), row.node_name(), now.bytes, bytes_before));
  auto& fields = *event.mutable_fields();
  fields["owner"] = row.user();
  fields["bytes"] = std::to_string(now.bytes);
  fields["bytes_before"] = std::to_string(bytes_before);
  const Result<std::string> proof = chunks_->proof(row.id());
  const Result<recorder::Proof> proved = proof ? decode_proof(*proof) : fail(proof);
  const Result<recorder::SignedNote> note = proved ? recorder::parse_note(proved->archive().seal()) : fail(proved);
  const Result<recorder::Checkpoint> seal = note ? recorder::parse_checkpoint(note->text) : fail(note);
  if (!seal) return fail(seal, "auth's word on the archive form");
  fields["archive_root"] = to_hex(seal->root);
  const Events events{std::move(event)};
  if (Result<void> noted = store_->set_archived(row.id(), now.bytes, events); !noted) return fail(noted);
  log_.info("recording.recompressed", kv("session", row.id()), kv("bytes", now.bytes),
            kv("bytes_before", bytes_before));
  return Archiving::kDone;
}

Result<Recordings::Archiving> Recordings::leave_as_is(const std::string& session_id, const RecordingState& state,
                                                      std::string_view why) {
  if (Result<void> noted = store_->set_archived(session_id, state.bytes, {}); !noted) return fail(noted);
  log_.debug("recording.left_as_is", kv("session", session_id), kv("reason", why));
  return Archiving::kLeft;
}

}  // namespace cairn::auth
