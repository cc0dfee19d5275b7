#include "recorder/tail_record.h"

#include <cstring>
#include <optional>

#include <fmt/format.h>

#include "base/bytes.h"
#include "recorder/crc32c.h"

namespace cairn::recorder {
namespace {

constexpr std::string_view kMagic = "CRNT";
constexpr size_t kTypeAt = 4;
constexpr size_t kChunkAt = 8;
constexpr size_t kCounterAt = 16;
constexpr size_t kFirstAt = 24;
constexpr size_t kLastAt = 32;
constexpr size_t kKindsAt = 40;
constexpr size_t kRawAt = 48;
constexpr size_t kEventsAt = 52;
constexpr size_t kMetaAt = 56;
constexpr size_t kBodyAt = 60;
constexpr size_t kContextBytes = 60;  // the body's length is known to the cipher
constexpr size_t kCrcAt = 68;         // after four zero bytes

std::string header_bytes(const TailRecord& record) {
  std::string bytes(kTailRecordBytes, '\0');
  char* at = bytes.data();
  std::memcpy(at, kMagic.data(), kMagic.size());
  at[kTypeAt] = static_cast<char>(record.type);
  write_le64(at + kChunkAt, record.chunk);
  write_le64(at + kCounterAt, record.counter);
  write_le64(at + kFirstAt, record.first_boot_ns);
  write_le64(at + kLastAt, record.last_boot_ns);
  write_le64(at + kKindsAt, record.kinds);
  write_le32(at + kRawAt, record.raw_bytes);
  write_le32(at + kEventsAt, record.events);
  write_le32(at + kMetaAt, static_cast<uint32_t>(record.meta.size()));
  write_le32(at + kBodyAt, static_cast<uint32_t>(record.body.size()));
  return bytes;
}

}  // namespace

std::string encode_tail_record(const TailRecord& record) {
  std::string bytes = header_bytes(record);
  bytes += record.meta;
  bytes += record.body;
  write_le32(bytes.data() + kCrcAt, crc32c(bytes));
  return bytes;
}

std::string tail_record_context(const TailRecord& record) {
  return header_bytes(record).substr(0, kContextBytes) + std::string(record.meta);
}

Result<ParsedTailRecord> parse_tail_record(std::string_view bytes) {
  if (bytes.size() < kTailRecordBytes) return fail(Errc::kTruncated, "the tail ends inside a record's header");
  const char* at = bytes.data();
  if (!bytes.starts_with(kMagic)) return fail(Errc::kCorrupt, "no record of a tail begins here");
  const uint64_t meta_bytes = read_le32(at + kMetaAt);
  const uint64_t body_bytes = read_le32(at + kBodyAt);
  if (meta_bytes > kMaxMetaBytes || body_bytes > kMaxPieceBytes) {
    return fail(Errc::kCorrupt, fmt::format("a record of {} and {} bytes", meta_bytes, body_bytes));
  }
  const uint64_t size = kTailRecordBytes + meta_bytes + body_bytes;
  if (bytes.size() < size) return fail(Errc::kTruncated, "the tail ends inside a record");
  std::string copy(bytes.substr(0, size));
  write_le32(copy.data() + kCrcAt, 0);
  if (crc32c(copy) != read_le32(at + kCrcAt)) return fail(Errc::kCorrupt, "a record's checksum is wrong");
  const auto type = static_cast<uint8_t>(at[kTypeAt]);
  if (type < static_cast<uint8_t>(TailRecordType::kStart) || type > static_cast<uint8_t>(TailRecordType::kCheckpoint)) {
    return fail(Errc::kUnsupported, fmt::format("a record of type {}; this program is too old for it", type));
  }
  return ParsedTailRecord{.record = {.type = static_cast<TailRecordType>(type),
                                     .chunk = read_le64(at + kChunkAt),
                                     .counter = read_le64(at + kCounterAt),
                                     .first_boot_ns = read_le64(at + kFirstAt),
                                     .last_boot_ns = read_le64(at + kLastAt),
                                     .kinds = read_le64(at + kKindsAt),
                                     .raw_bytes = read_le32(at + kRawAt),
                                     .events = read_le32(at + kEventsAt),
                                     .meta = bytes.substr(kTailRecordBytes, meta_bytes),
                                     .body = bytes.substr(kTailRecordBytes + meta_bytes, body_bytes)},
                          .bytes = bytes.substr(0, size)};
}

TailContents read_tail(std::string_view tail, uint64_t chunk) {
  TailContents contents;
  while (!tail.empty()) {
    const Result<ParsedTailRecord> parsed = parse_tail_record(tail);
    if (!parsed) break;
    tail.remove_prefix(parsed->bytes.size());
    const TailRecord& record = parsed->record;
    if (record.type == TailRecordType::kCheckpoint) contents.checkpoint = record.body;
    if (record.chunk != chunk) continue;
    if (record.type == TailRecordType::kStart) {
      contents.start = record.body;
      contents.pieces.clear();
    }
    if (record.type == TailRecordType::kPiece) contents.pieces += parsed->bytes;
  }
  return contents;
}

std::optional<uint64_t> last_chunk_of_tail(std::string_view tail) {
  std::optional<uint64_t> last;
  while (!tail.empty()) {
    const Result<ParsedTailRecord> parsed = parse_tail_record(tail);
    if (!parsed) break;
    tail.remove_prefix(parsed->bytes.size());
    if (parsed->record.type == TailRecordType::kPiece) last = parsed->record.chunk;
  }
  return last;
}

Result<std::string> chunk_of_pieces(std::string_view start, std::string_view pieces) {
  if (pieces.empty()) return fail(Errc::kInvalid, "no piece of the chunk was written");
  Result<ParsedTailRecord> piece = parse_tail_record(pieces);
  if (!piece) return fail(piece);
  TailRecord last = piece->record;
  for (std::string_view rest = pieces.substr(piece->bytes.size()); !rest.empty();) {
    piece = parse_tail_record(rest);
    if (!piece) return fail(piece);
    rest.remove_prefix(piece->bytes.size());
    if (piece->record.counter <= last.counter) return fail(Errc::kCorrupt, "pieces out of their order");
    last = piece->record;
  }
  // A start is a chunk's header with sizes that are not known yet; they are put in before it is parsed.
  Result<ChunkHeader> header = parse_chunk_header(start);
  if (!header) return fail(header);
  if (header->number != last.chunk) return fail(Errc::kCorrupt, "pieces of another chunk");
  header->form = header->form == PayloadForm::kPlain ? PayloadForm::kPlainPieces : PayloadForm::kSealedPieces;
  header->first_boot_ns = last.first_boot_ns;
  header->last_boot_ns = last.last_boot_ns;
  header->kinds = last.kinds;
  header->raw_bytes = last.raw_bytes;
  header->events = last.events;
  ChunkMeta meta;
  if (!meta.ParseFromArray(last.meta.data(), static_cast<int>(last.meta.size()))) {
    return fail(Errc::kCorrupt, "a piece whose facts cannot be read");
  }
  std::string chunk = encode_chunk(*header, meta, pieces);
  if (Result<ChunkView> checked = check_chunk(chunk); !checked) return fail(checked);
  return chunk;
}

}  // namespace cairn::recorder
