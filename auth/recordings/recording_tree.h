#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "auth/recordings/chunk_store.h"
#include "base/result.h"
#include "recorder/chunk.h"
#include "recorder/proof/merkle.h"

namespace cairn::auth {

// What auth holds a recording's signatures against: the tree over the chunks that it has stored.
struct RecordingTree {
  recorder::Opening opening;
  recorder::MerkleTree tree;
  std::string last_leaf;
};

// From the chunks' own headers, each of which names the leaf before it, and the whole last chunk.
//   fails  kCorrupt: what is stored is no recording
Result<RecordingTree> read_tree(ChunkStore& chunks, const std::string& session_id, const RecordingState& state);

// What lies in a file of a recording's chunks.
struct ArchiveTree {
  recorder::MerkleTree written;  // the tree that was signed
  recorder::MerkleTree stored;   // the same over what lies here
  uint64_t bytes = 0;
  uint64_t archived = 0;  // chunks in archive form
};
//   fails  kCorrupt: something in it is no chunk
Result<ArchiveTree> read_archive_tree(int file);

// Chunk 0's word on whose recording it is.
Result<recorder::Opening> read_stored_opening(ChunkStore& chunks, const std::string& session_id);

// A recording's proof as it stands behind it, a chunk of its own.
std::string encode_proof(const RecordingTree& tree, const recorder::ChunkHeader& last, const recorder::Proof& proof);
//   fails  kCorrupt: no proof
Result<recorder::Proof> decode_proof(std::string_view chunk);

}  // namespace cairn::auth
