#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recorder/chunk.h"

namespace cairn::recorder {

// The tail of a recording: what is on the disk of the chunk that is not sealed yet. It lies in a file of its own beside
// the recording, SESSION_UUID.tail, as records end to end. Format: docs/recording-format.md §4. Pure; any thread.

constexpr size_t kTailRecordBytes = 72;  // of a record's header
constexpr size_t kMaxPieceBytes = kMaxPayloadBytes;

enum class TailRecordType : uint8_t {
  kStart = 1,       // a chunk is begun; body: its header, with what is known of it
  kPiece = 2,       // some of the chunk's frame; body: plain or encrypted
  kCheckpoint = 3,  // body: a signed note, of all before it
};

struct TailRecord {
  TailRecordType type = TailRecordType::kPiece;
  uint64_t chunk = 0;    // the number of the chunk that it belongs to
  uint64_t counter = 0;  // of a piece: ascending within its chunk; with the chunk's key it is used for nothing else
  // Of a piece: of the whole chunk up to its end.
  uint64_t first_boot_ns = 0;
  uint64_t last_boot_ns = 0;
  uint64_t kinds = 0;
  uint32_t raw_bytes = 0;
  uint32_t events = 0;
  std::string_view meta;  // ChunkMeta
  std::string_view body;
};

// The record's bytes. What is authenticated with an encrypted body is header and meta up to the checksum:
// tail_record_context().
std::string encode_tail_record(const TailRecord& record);
std::string tail_record_context(const TailRecord& record);

struct ParsedTailRecord {
  TailRecord record;       // refers to the bytes parsed
  std::string_view bytes;  // all of it
};

// The record at the beginning of `bytes`.
//   fails  kTruncated: more bytes are needed. kCorrupt: no record, or a checksum is wrong
Result<ParsedTailRecord> parse_tail_record(std::string_view bytes);

// What of a tail belongs to one chunk, and the last checkpoint. Stops where the records end or break: a crash leaves
// that.
struct TailContents {
  std::string start;       // header of the chunk as the start record gives it; empty: there is none
  std::string pieces;      // the piece records, end to end
  std::string checkpoint;  // the last whole one, of whatever chunk; empty: none
};
TailContents read_tail(std::string_view tail, uint64_t chunk);

// The number of the chunk that the last piece belongs to; nullopt when there is none.
std::optional<uint64_t> last_chunk_of_tail(std::string_view tail);

// The chunk that the pieces amount to, though nobody sealed it.
//   start   TailContents.start
//   fails   kCorrupt: the pieces or the start cannot be read. kInvalid: there are no pieces
Result<std::string> chunk_of_pieces(std::string_view start, std::string_view pieces);

}  // namespace cairn::recorder
