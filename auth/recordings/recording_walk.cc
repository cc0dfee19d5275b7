#include "auth/recordings/recording_walk.h"

#include <fmt/format.h>

#include "base/bytes.h"

namespace cairn::auth {
namespace {

using recorder::ChunkHeader;

// The header at `offset` if a whole chunk of this number lies there.
Result<ChunkHeader> whole_chunk_at(const recorder::SpoolFile& file, const std::string& session_id, uint64_t offset,
                                   uint64_t number) {
  const Result<std::string> bytes = file.read(offset, recorder::kMaxHeaderBytes);
  if (!bytes) return fail(bytes);
  Result<ChunkHeader> header = recorder::parse_chunk_header(*bytes);
  if (!header) return header;
  if (header->session != uuid_bytes(session_id)) return fail(Errc::kCorrupt, "a chunk of another session");
  if (header->number != number) return fail(Errc::kCorrupt, "a chunk with another number");
  if (header->size() > file.bytes() - offset) return fail(Errc::kTruncated, "the file ends inside a chunk");
  return header;
}

bool is_format_error(const Error& error) {
  return error.code == Errc::kCorrupt || error.code == Errc::kTruncated || error.code == Errc::kUnsupported;
}

}  // namespace

Result<RecordingState> walk_recording(const recorder::SpoolFile& file, const std::string& session_id) {
  RecordingState good;
  uint64_t last_offset = 0;
  std::string why;
  while (good.bytes < file.bytes() && !good.is_complete) {
    const Result<ChunkHeader> header = whole_chunk_at(file, session_id, good.bytes, good.chunks);
    if (!header && !is_format_error(header.error())) return fail(header);
    if (!header) {
      why = header.error().message;
      break;
    }
    last_offset = good.bytes;
    good.bytes += header->size();
    good.chunks += 1;
    good.is_complete = header->is_final();
    good.is_archived = good.is_archived || header->archived;
  }
  if (good.chunks > 0) {
    const Result<std::string> last = file.read(last_offset, good.bytes - last_offset);
    if (!last) return fail(last);
    if (const Result<recorder::ChunkView> checked = recorder::check_chunk(*last); !checked) {
      why = checked.error().message;
      good = {.chunks = good.chunks - 1, .bytes = last_offset, .is_complete = false, .is_archived = good.is_archived};
    }
  }
  if (file.bytes() - good.bytes > recorder::kMaxChunkBytes) {
    return fail(Errc::kCorrupt,
                fmt::format("{}: damaged after {} chunks (offset {}): {}; {} bytes follow, more than one torn chunk; "
                            "restore it from the backup",
                            file.path().string(), good.chunks, good.bytes, why, file.bytes() - good.bytes));
  }
  return good;
}

}  // namespace cairn::auth
