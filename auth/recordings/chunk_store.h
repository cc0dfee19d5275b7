#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "recorder/chunk.h"

namespace cairn::auth {

// How much of a recording is stored durably.
struct RecordingState {
  uint64_t chunks = 0;
  uint64_t bytes = 0;
  bool is_complete = false;  // the last chunk is the final one
  bool is_archived = false;  // chunks of it are in archive form

  // Tells apart the bytes of two forms of one recording.
  uint64_t layout() const { return is_archived ? bytes : 0; }
};

// Of the chunk that is still open at the node: recorder/tail_record.h.
struct StoredTail {
  uint64_t chunk = 0;
  std::string start;
  std::string pieces;
  std::string checkpoint;  // the last signed note, of whatever chunk
};

// Where recordings lie: per session a sequence of chunks, byte for byte as they came. Every backend passes
// tests/chunk_store_conformance. Thread-safe; blocks on the disk. A session is named by its UUID, checked by the
// caller.
class ChunkStore {
 public:
  ChunkStore() = default;
  ChunkStore(const ChunkStore&) = delete;
  ChunkStore& operator=(const ChunkStore&) = delete;
  virtual ~ChunkStore() = default;

  // Zero chunks when there is nothing of this session. What it names is durable, whatever went before: a node deletes
  // what this says is stored.
  //   fails  kCorrupt: what is stored is damaged beyond a torn end; it is left as it is. kUnavailable: the disk
  //   refuses.
  //          An errno.
  virtual Result<RecordingState> state(const std::string& session_id) = 0;

  // Appends one whole chunk; once this returns, power loss keeps it.
  //   header  that of `chunk`, checked; its number is the state's count of chunks
  //   fails   kInvalid: it is not the next chunk, or the recording is complete. kUnavailable: the disk is full or
  //           refuses; nothing is acknowledged. As state().
  virtual Result<RecordingState> append(const std::string& session_id, const recorder::ChunkHeader& header,
                                        std::string_view chunk) = 0;

  // Adds pieces of the open chunk, whose number is the state's count of chunks, and puts the checkpoint in the place of
  // the one before; once this returns, power loss keeps them. What was stored of earlier chunks' pieces is dropped.
  //   part     its pieces continue those stored of this chunk; its checkpoint may be empty: the one before stays
  //   returns  how many bytes of the chunk's pieces are stored
  //   fails    kInvalid: another chunk. As append().
  virtual Result<uint64_t> append_tail(const std::string& session_id, const StoredTail& part) = 0;

  // What is stored of the open chunk; empty when there is none.
  virtual Result<StoredTail> tail(const std::string& session_id) = 0;

  // The proof of a complete recording, beside it. Replaces the one before as a whole.
  virtual Result<void> put_proof(const std::string& session_id, std::string_view proof) = 0;
  // Empty when there is none.
  virtual Result<std::string> proof(const std::string& session_id) = 0;

  // The recording's secret, sealed for recipients that came later, beside it; replaces the one before as a whole.
  virtual Result<void> put_keys(const std::string& session_id, std::string_view keys) = 0;
  // Empty when there is none.
  virtual Result<std::string> keys(const std::string& session_id) = 0;

  // Up to `limit_bytes` durable bytes from `offset`; empty at the end.
  virtual Result<std::string> read(const std::string& session_id, uint64_t offset, size_t limit_bytes) = 0;

  // For who reads at will: the file's chunks from offset 0. What lies behind the durable ones may be torn.
  //   fails  kNotFound: nothing is stored of this session
  virtual Result<UniqueFd> open_for_reading(const std::string& session_id) = 0;

  // What may take a complete recording's place: an empty file that leaves nothing behind when nobody gives it to
  // replace().
  virtual Result<UniqueFd> make_replacement(const std::string& session_id) = 0;
  // Puts it there: the same recording in archive form. Power loss leaves the one or the other, whole; once this
  // returns, the new one. Who reads the old one may go on for a while.
  //   fails  kInvalid: the recording is not complete, or in archive form already. kUnavailable: the disk refuses;
  //          which of the two is there state() tells
  virtual Result<RecordingState> replace(const std::string& session_id, UniqueFd file) = 0;
  // As read(), of what replace() has replaced.
  //   fails  kNotFound: it has been forgotten
  virtual Result<std::string> read_replaced(const std::string& session_id, uint64_t offset, size_t limit_bytes) = 0;
  // How much there is of it.
  virtual Result<uint64_t> replaced_bytes(const std::string& session_id) = 0;
  // Forgets what was replaced longer ago than that.
  virtual void forget_replaced(std::chrono::seconds age) = 0;

  // All sessions of which something is stored, be it a side file alone, in no order.
  virtual Result<std::vector<std::string>> session_ids() = 0;

  // Deletes all there is of these sessions, the chunks first, and durably so: once this returns, power loss brings
  // nothing back. What a crash interrupts is finished by another call. Nobody writes to them meanwhile.
  //   fails  an errno: something may be left
  virtual Result<void> remove(const std::set<std::string>& session_ids) = 0;
};

}  // namespace cairn::auth
