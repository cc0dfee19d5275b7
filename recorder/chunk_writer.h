#pragma once

#include <array>
#include <cstdint>

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

  ChunkWriter(SpoolFile file, std::array<unsigned char, 16> session, uint64_t quota_bytes);

  // Takes the place of an earlier writer: accounts for a whole chunk that stands at `file_offset`.
  void adopt(uint64_t file_offset, const ChunkHeader& header, const Batch& batch);

  // One chunk, durably. `batch` has at least one event and at most kMaxRawBytes.
  //   fails  as SpoolFile::append; nothing has changed then
  Result<void> append(const Batch& batch, Room room);
  // The final chunk: `batch` and after it the End, which is completed with index and totals. Releases the lock.
  Result<void> append_final(Batch batch, Event end);

  // Gives a new file its name, once its first chunk is in.
  Result<void> publish() { return file_.publish(); }
  void set_quota(uint64_t quota_bytes) { quota_bytes_ = quota_bytes; }
  bool is_read_only() const { return file_.is_read_only(); }
  uint64_t bytes() const { return file_.bytes(); }
  const Totals& totals() const { return totals_; }

 private:
  Result<void> append_chunk(const Batch& batch, ChunkHeader header, uint64_t limit_bytes);

  SpoolFile file_;
  std::array<unsigned char, 16> session_;
  uint64_t quota_bytes_;
  uint64_t next_number_ = 0;
  ChunkIndex index_;
  Totals totals_;
};

}  // namespace cairn::recorder
