#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "proto/recording.pb.h"

namespace cairn::recorder {

using recording::v1::AuditInclusion;
using recording::v1::Begin;
using recording::v1::ChunkMeta;
using recording::v1::Closing;
using recording::v1::End;
using recording::v1::Event;
using recording::v1::Gap;
using recording::v1::Opening;
using recording::v1::Proof;
using Events = std::vector<Event>;

// The container of a recording: chunks end to end, each a header of fixed size, a few plain facts (ChunkMeta) and a
// payload. Format: docs/recording-format.md. All functions here are pure; any thread.

constexpr size_t kChunkHeaderBytes = 168;
// What lies between header and meta of a chunk in archive form, and how much to read at most to know a chunk's size.
constexpr size_t kArchiveFactsBytes = 48;
constexpr size_t kMaxHeaderBytes = kChunkHeaderBytes + kArchiveFactsBytes;
// What a reader refuses to exceed, checked before anything is allocated for it.
constexpr size_t kMaxRawBytes = size_t{2} << 20;
constexpr size_t kMaxMetaBytes = 4096;
constexpr size_t kMaxPayloadBytes = (size_t{2} << 20) + (size_t{256} << 10);
constexpr size_t kMaxChunkBytes = kMaxHeaderBytes + kMaxMetaBytes + kMaxPayloadBytes;
constexpr uint32_t kMaxChunkEvents = 131'072;
// TerminalOutput.data of one event.
constexpr size_t kMaxOutputBytes = 32768;
// Output has times to a tenth of a millisecond: finer ones say nothing and cost a tenth of an hour of typing.
constexpr uint64_t kOutputTickNs = 100'000;
// All others have them to a microsecond: processors' clocks and the kernel's hooks are no finer, and a nanosecond's
// digits are noise, 6 % of an hour of work.
constexpr uint64_t kTickNs = 1'000;

enum class ChunkType : uint8_t {
  kBegin = 0,  // number 0: an Opening
  kEvents = 1,
  kEnd = 2,    // the last: a Closing
  kProof = 3,  // behind the last, where a recording has left its archive; no leaf of the tree
};

// How the payload lies.
enum class PayloadForm : uint8_t {
  kPlain = 0,         // one zstd frame
  kAge = 1,           // an age file of one
  kPlainPieces = 2,   // the records of a chunk that was never sealed, as the tail held them
  kSealedPieces = 3,  // likewise, encrypted
  kSealedFrame = 4,   // one zstd frame under AES-256-GCM, where no recipient has an age key
};

// Whether it lies in the records of the tail.
constexpr bool is_pieces(PayloadForm form) {
  return form == PayloadForm::kPlainPieces || form == PayloadForm::kSealedPieces;
}

// Three clocks read at one moment, nanoseconds.
struct ClockAnchor {
  // Implicit: where the boot clock alone matters, it is enough.
  ClockAnchor(uint64_t boot = 0, uint64_t mono = 0, int64_t wall = 0)  // NOLINT(google-explicit-constructor)
      : boot_ns(boot), mono_ns(mono), wall_ns(wall) {}

  uint64_t boot_ns;  // CLOCK_BOOTTIME
  uint64_t mono_ns;  // CLOCK_MONOTONIC: does not run while the host sleeps
  int64_t wall_ns;   // CLOCK_REALTIME: may be set; 0 = not known

  bool operator==(const ClockAnchor&) const = default;
};

// What lies in the place of the payload that the node wrote, once an archive has compressed it better.
struct ArchiveFacts {
  std::array<unsigned char, 32> written_payload = {};  // SHA-256 of the payload that the header speaks of
  uint32_t payload_bytes = 0;                          // of the payload that lies here; fewer than the header says
  uint32_t body_crc = 0;                               // CRC-32C over meta and the payload that lies here
};

struct ChunkHeader {
  ChunkType type = ChunkType::kEvents;
  PayloadForm form = PayloadForm::kPlain;
  std::array<unsigned char, 16> session = {};  // the session's UUID
  uint64_t number = 0;                         // from 0, without gaps
  uint64_t first_boot_ns = 0;                  // smallest of its events
  uint64_t last_boot_ns = 0;                   // largest of its events
  ClockAnchor anchor;                          // when it was begun
  uint64_t kinds = 0;                          // bit N: it holds events of field 10 + N in Event.kind
  uint32_t raw_bytes = 0;                      // of the payload, decrypted and decompressed
  uint32_t meta_bytes = 0;
  uint32_t payload_bytes = 0;
  uint32_t events = 0;
  std::array<unsigned char, 32> previous = {};  // leaf hash of the chunk before; zeros in chunk 0
  // HMAC-SHA-256 of the raw bytes under a key of the recording's secret; SHA-256 when there is none; zeros in pieces.
  std::array<unsigned char, 32> content = {};
  uint32_t body_crc = 0;    // CRC-32C over meta and payload
  uint32_t header_crc = 0;  // over the header before it
  // The chunk is in archive form: all above is as the node wrote and signed it.
  std::optional<ArchiveFacts> archived = std::nullopt;

  bool is_final() const { return type == ChunkType::kEnd; }
  // As it lies here.
  size_t head_bytes() const { return archived ? kMaxHeaderBytes : kChunkHeaderBytes; }
  size_t stored_payload_bytes() const { return archived ? archived->payload_bytes : payload_bytes; }
  size_t size() const { return head_bytes() + meta_bytes + stored_payload_bytes(); }
  // As the node wrote it.
  size_t written_size() const { return kChunkHeaderBytes + meta_bytes + payload_bytes; }
  bool has_kind(Event::KindCase kind) const { return ((kinds >> (static_cast<unsigned>(kind) - 10)) & 1) != 0; }
};

// The parts of one whole chunk, which they refer to.
struct ChunkView {
  ChunkHeader header;
  std::string_view bytes;  // all of it
  std::string_view meta;
  std::string_view payload;
};

// The header at the beginning of `bytes`. Checks everything that can be checked without the rest: enough to know how
// many bytes to wait for. kMaxHeaderBytes of them always suffice.
//   fails  kTruncated: fewer than kChunkHeaderBytes, or than kMaxHeaderBytes of a chunk in archive form. kCorrupt: no
//   chunk begins here, its checksum is wrong, or it names
//          impossible sizes. kUnsupported: a chunk of another format version, or of a form that this reader does not
//          know.
Result<ChunkHeader> parse_chunk_header(std::string_view bytes);

// Exactly one whole chunk, checksums included. The payload is not looked into.
//   fails  as parse_chunk_header; kTruncated when bytes are missing, kCorrupt when bytes follow or a checksum differs
Result<ChunkView> check_chunk(std::string_view whole_chunk);

Result<ChunkMeta> parse_meta(const ChunkView& chunk);

// One whole chunk; sizes and checksums of `header` are computed, all else is taken as it is.
std::string encode_chunk(ChunkHeader header, const ChunkMeta& meta, std::string_view payload);

// The same chunk in archive form, with another payload of the same content.
//   original  not in archive form; its payload is longer
std::string encode_archived(const ChunkView& original, std::string_view payload);

// What the recording's tree is made of: SHA-256(0x00 || header || meta || SHA-256(payload)), so that a chunk's place in
// the tree can be shown without its payload. Of a chunk in archive form: with the payload that the node wrote.
std::string leaf_hash(const ChunkView& chunk);
// The same with the payload that lies here: what an archive signs once it has recompressed. Where nothing is archived
// the two are one.
std::string stored_leaf_hash(const ChunkView& chunk);

constexpr uint64_t kind_bit(Event::KindCase kind) { return uint64_t{1} << (static_cast<unsigned>(kind) - 10); }

}  // namespace cairn::recorder
