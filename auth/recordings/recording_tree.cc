#include "auth/recordings/recording_tree.h"

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "recorder/chunk_content.h"
#include "recorder/frame.h"

namespace cairn::auth {
namespace {

constexpr int kProofLevel = 3;

}  // namespace

Result<recorder::Opening> read_stored_opening(ChunkStore& chunks, const std::string& session_id) {
  const Result<std::string> start = chunks.read(session_id, 0, recorder::kMaxHeaderBytes);
  if (!start) return fail(start);
  const Result<recorder::ChunkHeader> header = recorder::parse_chunk_header(*start);
  if (!header) return fail(header);
  const Result<std::string> bytes = chunks.read(session_id, 0, header->size());
  if (!bytes) return fail(bytes);
  const Result<recorder::ChunkView> chunk = recorder::check_chunk(*bytes);
  if (!chunk) return fail(chunk);
  return recorder::read_opening(*chunk);
}

Result<RecordingTree> read_tree(ChunkStore& chunks, const std::string& session_id, const RecordingState& state) {
  RecordingTree read;
  if (state.chunks == 0) return read;
  Result<recorder::Opening> opening = read_stored_opening(chunks, session_id);
  if (!opening) return fail(opening);
  read.opening = std::move(*opening);
  uint64_t last = 0;
  for (uint64_t offset = 0; offset < state.bytes;) {
    const Result<std::string> bytes = chunks.read(session_id, offset, recorder::kMaxHeaderBytes);
    if (!bytes) return fail(bytes);
    const Result<recorder::ChunkHeader> header = recorder::parse_chunk_header(*bytes);
    if (!header) return fail(header);
    if (header->number != 0) read.tree.add(std::string(header->previous.begin(), header->previous.end()));
    last = offset;
    offset += header->size();
  }
  const Result<std::string> bytes = chunks.read(session_id, last, recorder::kMaxChunkBytes);
  if (!bytes) return fail(bytes);
  const Result<recorder::ChunkView> chunk = recorder::check_chunk(*bytes);
  if (!chunk) return fail(chunk);
  read.last_leaf = recorder::leaf_hash(*chunk);
  read.tree.add(read.last_leaf);
  return read;
}

Result<ArchiveTree> read_archive_tree(int file) {
  ArchiveTree read;
  for (;;) {
    const Result<std::string> head = read_at(file, read.bytes, recorder::kMaxHeaderBytes);
    if (!head) return fail(head);
    if (head->empty()) return read;
    const Result<recorder::ChunkHeader> header = recorder::parse_chunk_header(*head);
    if (!header) return fail(header);
    const Result<std::string> bytes = read_at(file, read.bytes, header->size());
    if (!bytes) return fail(bytes);
    const Result<recorder::ChunkView> chunk = recorder::check_chunk(*bytes);
    if (!chunk) return fail(chunk);
    read.written.add(recorder::leaf_hash(*chunk));
    read.stored.add(recorder::stored_leaf_hash(*chunk));
    read.archived += header->archived ? 1 : 0;
    read.bytes += header->size();
  }
}

std::string encode_proof(const RecordingTree& tree, const recorder::ChunkHeader& last, const recorder::Proof& proof) {
  const std::string raw = proof.SerializeAsString();
  recorder::ChunkHeader header;
  header.type = recorder::ChunkType::kProof;
  header.session = last.session;
  header.number = tree.tree.size();
  header.first_boot_ns = header.last_boot_ns = last.last_boot_ns;
  header.raw_bytes = static_cast<uint32_t>(raw.size());
  std::ranges::copy(tree.last_leaf, header.previous.begin());
  return recorder::encode_chunk(header, {}, recorder::compress_frame(raw, kProofLevel));
}

Result<recorder::Proof> decode_proof(std::string_view chunk) {
  const Result<recorder::ChunkView> view = recorder::check_chunk(chunk);
  Result<recorder::Proof> proof = view ? recorder::read_proof(*view) : fail(view);
  return proof ? std::move(proof) : Result<recorder::Proof>(fail(proof, "the recording's proof"));
}

}  // namespace cairn::auth
