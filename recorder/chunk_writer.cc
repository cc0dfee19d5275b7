#include "recorder/chunk_writer.h"

#include <limits>
#include <utility>

namespace cairn::recorder {

ChunkWriter::ChunkWriter(SpoolFile file, std::array<unsigned char, 16> session, uint64_t quota_bytes)
    : ChunkWriter(std::move(file), session, quota_bytes, Before()) {}

ChunkWriter::ChunkWriter(SpoolFile file, std::array<unsigned char, 16> session, uint64_t quota_bytes, Before before)
    : file_(std::move(file)), session_(session), quota_bytes_(quota_bytes), done_(std::move(before)) {}

Result<void> ChunkWriter::append(const Batch& batch, Room room) {
  const uint64_t limit = room == Room::kWithinQuota ? quota_bytes_ : std::numeric_limits<uint64_t>::max();
  return append_chunk(batch, {.is_final = false, .session = session_, .number = done_.chunks}, limit);
}

Result<void> ChunkWriter::append_final(Batch batch, Event end) {
  Totals totals = done_.totals;
  for (const Event& event : batch.events()) totals.add(event);
  totals.copy_to(*end.mutable_end());
  done_.index.copy_to(*end.mutable_end());
  *batch.add_events() = std::move(end);
  const ChunkHeader header{.is_final = true, .session = session_, .number = done_.chunks};
  Result<void> appended = append_chunk(batch, header, std::numeric_limits<uint64_t>::max());
  if (appended) file_.close();
  return appended;
}

Result<void> ChunkWriter::append_chunk(const Batch& batch, ChunkHeader header, uint64_t limit_bytes) {
  const Result<std::string> chunk = encode_chunk(header, batch);
  if (!chunk) return fail(chunk);
  const uint64_t offset = file_.bytes();
  if (Result<void> appended = file_.append(*chunk, limit_bytes); !appended) return appended;
  const Result<ChunkHeader> written = parse_chunk_header(*chunk);
  if (!written) return fail(Errc::kInternal, "wrote a chunk that does not parse: " + written.error().message);
  done_.index.add(offset, *written);
  for (const Event& event : batch.events()) done_.totals.add(event);
  ++done_.chunks;
  return {};
}

}  // namespace cairn::recorder
