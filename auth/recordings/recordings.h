#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "auth/recordings/chunk_store.h"
#include "auth/store/records.h"
#include "auth/store/store.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "recorder/chunk.h"

namespace cairn::auth {

// The archive: takes what nodes upload, checks it, keeps chunks and rows in step. The chunks are the truth; what the
// rows say about a recording is read from it. Thread-safe; blocks on the disk.
class Recordings {
 public:
  // What is handed in outlives it.
  Recordings(Store* store, ChunkStore* chunks, const Clock* clock, Log log)
      : store_(store), chunks_(chunks), clock_(clock), log_(std::move(log)) {}

  // At start: brings the rows of all sessions that are not complete up to their recordings, and makes rows for
  // recordings that have none (a database restored from an older backup). A damaged recording is logged and left.
  Result<void> reconcile();

  // Where an upload goes on.
  //   fails  kDenied: auth has not authorized this session for this node. kNotFound: no such session.
  Result<RecordingState> open_upload(const std::string& node_id, const std::string& session_id);

  // Stores one chunk durably. A number that is stored already is acknowledged again.
  //   fails  kInvalid: a number beyond the next; a chunk of another session or number, damaged or too large; a first
  //          chunk without its Begin, a final one without its End; kDenied as above, and when Begin names another
  //          node, user or login than auth has authorized. Nothing is stored then. kUnavailable: the disk refuses.
  Result<RecordingState> upload(const std::string& node_id, const std::string& session_id, uint64_t number,
                                std::string_view chunk);

  Result<RecordingState> state(const std::string& session_id) { return chunks_->state(session_id); }
  Result<std::string> read(const std::string& session_id, uint64_t offset, size_t limit_bytes) {
    return chunks_->read(session_id, offset, limit_bytes);
  }

 private:
  Result<SessionRecord> authorized_session(const std::string& node_id, const std::string& session_id);
  Result<void> learn(const SessionRecord& session, const recorder::ChunkHeader& header, const recorder::Batch& batch);
  Result<void> finish(const SessionRecord& session, const recorder::Event& end);
  Result<recorder::Batch> first_batch(const std::string& session_id);
  Result<recorder::Batch> last_batch(const std::string& session_id, const RecordingState& state);
  Result<void> reconcile_one(const std::string& session_id, bool has_row);
  Result<void> add_row_from(const std::string& session_id, const recorder::Batch& first);

  Store* store_;
  ChunkStore* chunks_;
  const Clock* clock_;
  Log log_;
};

}  // namespace cairn::auth
