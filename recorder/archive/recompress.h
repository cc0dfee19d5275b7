#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "recorder/chunk.h"
#include "recorder/recording_keys.h"

namespace cairn::recorder {

// Compressing better what a node had little time for. Format: docs/recording-format.md §11. Why so:
// docs/decisions/archive-form.md.

// Of the new frames: from the next level on each percent costs a multiple of the time.
constexpr int kArchiveLevel = 12;

// One whole chunk in the form that is shorter: in archive form, or as it is.
//   keys   nullptr: the recording is not encrypted
//   fails  kCorrupt: it does not hold what its header's digest says. kDenied: it is encrypted, and there are no keys
Result<std::string> recompress_chunk(const ChunkView& chunk, const RecordingKeys* keys, int level = kArchiveLevel);

// Both eat hostile bytes: run them in run_recompress_process(). Chunks are read from offset 0 of `from` to the end of
// the file.
struct RecompressJob {
  UniqueFd from;                              // a complete recording, without its proof
  UniqueFd to;                                // empty: becomes the same recording, recompressed
  std::shared_ptr<const RecordingKeys> keys;  // nullptr: it is not encrypted
};
Result<void> recompress(const RecompressJob& job);
// That `to` holds what `from` does, chunk by chunk: the same bytes, or an archived chunk whose content is what the
// header's digest was made of.
//   fails  kCorrupt: the sentence names the chunk
Result<void> check_recompressed(const RecompressJob& job);

}  // namespace cairn::recorder
