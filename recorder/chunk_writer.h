#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "recorder/chunk.h"
#include "recorder/chunk_index.h"
#include "recorder/spool_file.h"
#include "recorder/totals.h"

namespace cairn::recorder {

// Appends batches to one recording as numbered chunks and keeps what the final chunk must say about them: index and
// totals. One thread at a time; blocks on the disk.
class ChunkWriter {
 public:
  enum class Room {
    kWithinQuota,
    kBeyondQuota,  // for the records without which a recording would lie: gaps and the end
  };

  // What an earlier writer of the same file has left in it.
  struct Before {
    uint64_t chunks = 0;
    ChunkIndex index;
    Totals totals;
  };

  ChunkWriter(SpoolFile file, std::array<unsigned char, 16> session, uint64_t quota_bytes);
  ChunkWriter(SpoolFile file, std::array<unsigned char, 16> session, uint64_t quota_bytes, Before before);

  // One chunk, durably. `batch` has at least one event and at most kMaxRawBytes.
  //   fails  as SpoolFile::append; nothing has changed then
  Result<void> append(const Batch& batch, Room room);
  // The final chunk: `batch` and after it the End, which is completed with index and totals. Releases the lock.
  Result<void> append_final(Batch batch, Event end);

  // Gives a new file its name, once its first chunk is in.
  Result<void> publish() { return file_.publish(); }
  void set_quota(uint64_t quota_bytes) { quota_bytes_ = quota_bytes; }
  // The error that made the file read-only, if one did.
  const std::optional<Error>& refusal() const { return file_.refusal(); }
  uint64_t bytes() const { return file_.bytes(); }
  const Totals& totals() const { return done_.totals; }

 private:
  Result<void> append_chunk(const Batch& batch, ChunkHeader header, uint64_t limit_bytes);

  SpoolFile file_;
  std::array<unsigned char, 16> session_;
  uint64_t quota_bytes_;
  Before done_;
};

}  // namespace cairn::recorder
