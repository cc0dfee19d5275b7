#include "recorder/chunk.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "recorder/crc32c.h"
#include "recorder/proof/merkle.h"

namespace cairn::recorder {
namespace {

constexpr std::string_view kMagic = "CRNR";
constexpr std::string_view kArchiveMagic = "CRNA";
constexpr uint32_t kVersion = 2;
constexpr auto kLastType = static_cast<uint8_t>(ChunkType::kProof);
constexpr auto kLastForm = static_cast<uint8_t>(PayloadForm::kSealedFrame);

// Where the header's fields lie (docs/recording-format.md §2).
constexpr size_t kVersionAt = 4;
constexpr size_t kTypeAt = 6;
constexpr size_t kFormAt = 7;
constexpr size_t kSessionAt = 8;
constexpr size_t kNumberAt = 24;
constexpr size_t kFirstAt = 32;
constexpr size_t kLastAt = 40;
constexpr size_t kAnchorBootAt = 48;
constexpr size_t kAnchorMonoAt = 56;
constexpr size_t kAnchorWallAt = 64;
constexpr size_t kKindsAt = 72;
constexpr size_t kRawAt = 80;
constexpr size_t kMetaAt = 84;
constexpr size_t kPayloadAt = 88;
constexpr size_t kEventsAt = 92;
constexpr size_t kPreviousAt = 96;
constexpr size_t kContentAt = 128;
constexpr size_t kBodyCrcAt = 160;
constexpr size_t kHeaderCrcAt = 164;
// And those of the facts behind an archived one's header (§11).
constexpr size_t kStoredBytesAt = 32;
constexpr size_t kStoredCrcAt = 36;
constexpr size_t kReservedAt = 40;
constexpr size_t kFactsCrcAt = 44;

std::string header_bytes(const ChunkHeader& header) {
  std::string bytes(kChunkHeaderBytes, '\0');
  char* at = bytes.data();
  std::memcpy(at, kMagic.data(), kMagic.size());
  at[kVersionAt] = kVersion;
  at[kTypeAt] = static_cast<char>(header.type);
  at[kFormAt] = static_cast<char>(header.form);
  std::memcpy(at + kSessionAt, header.session.data(), header.session.size());
  write_le64(at + kNumberAt, header.number);
  write_le64(at + kFirstAt, header.first_boot_ns);
  write_le64(at + kLastAt, header.last_boot_ns);
  write_le64(at + kAnchorBootAt, header.anchor.boot_ns);
  write_le64(at + kAnchorMonoAt, header.anchor.mono_ns);
  write_le64(at + kAnchorWallAt, static_cast<uint64_t>(header.anchor.wall_ns));
  write_le64(at + kKindsAt, header.kinds);
  write_le32(at + kRawAt, header.raw_bytes);
  write_le32(at + kMetaAt, header.meta_bytes);
  write_le32(at + kPayloadAt, header.payload_bytes);
  write_le32(at + kEventsAt, header.events);
  std::memcpy(at + kPreviousAt, header.previous.data(), header.previous.size());
  std::memcpy(at + kContentAt, header.content.data(), header.content.size());
  write_le32(at + kBodyCrcAt, header.body_crc);
  write_le32(at + kHeaderCrcAt, crc32c(std::string_view(at, kHeaderCrcAt)));
  return bytes;
}

ChunkHeader read_header(const char* at) {
  ChunkHeader header;
  header.type = static_cast<ChunkType>(at[kTypeAt]);
  header.form = static_cast<PayloadForm>(at[kFormAt]);
  std::memcpy(header.session.data(), at + kSessionAt, header.session.size());
  header.number = read_le64(at + kNumberAt);
  header.first_boot_ns = read_le64(at + kFirstAt);
  header.last_boot_ns = read_le64(at + kLastAt);
  header.anchor = ClockAnchor(read_le64(at + kAnchorBootAt), read_le64(at + kAnchorMonoAt),
                              static_cast<int64_t>(read_le64(at + kAnchorWallAt)));
  header.kinds = read_le64(at + kKindsAt);
  header.raw_bytes = read_le32(at + kRawAt);
  header.meta_bytes = read_le32(at + kMetaAt);
  header.payload_bytes = read_le32(at + kPayloadAt);
  header.events = read_le32(at + kEventsAt);
  std::memcpy(header.previous.data(), at + kPreviousAt, header.previous.size());
  std::memcpy(header.content.data(), at + kContentAt, header.content.size());
  header.body_crc = read_le32(at + kBodyCrcAt);
  header.header_crc = read_le32(at + kHeaderCrcAt);
  return header;
}

std::string facts_bytes(const ArchiveFacts& facts) {
  std::string bytes(kArchiveFactsBytes, '\0');
  std::memcpy(bytes.data(), facts.written_payload.data(), facts.written_payload.size());
  write_le32(bytes.data() + kStoredBytesAt, facts.payload_bytes);
  write_le32(bytes.data() + kStoredCrcAt, facts.body_crc);
  write_le32(bytes.data() + kFactsCrcAt, crc32c(std::string_view(bytes).substr(0, kFactsCrcAt)));
  return bytes;
}

// Of a whole chunk: its header as the node wrote it.
std::string written_header(std::string_view chunk) {
  return std::string(kMagic) + std::string(chunk.substr(kMagic.size(), kChunkHeaderBytes - kMagic.size()));
}

Result<ArchiveFacts> read_facts(std::string_view bytes, const ChunkHeader& header) {
  ArchiveFacts facts;
  std::memcpy(facts.written_payload.data(), bytes.data(), facts.written_payload.size());
  facts.payload_bytes = read_le32(bytes.data() + kStoredBytesAt);
  facts.body_crc = read_le32(bytes.data() + kStoredCrcAt);
  if (crc32c(bytes.substr(0, kFactsCrcAt)) != read_le32(bytes.data() + kFactsCrcAt))
    return fail(Errc::kCorrupt, "an archived chunk whose facts have a wrong checksum");
  if (read_le32(bytes.data() + kReservedAt) != 0)
    return fail(Errc::kUnsupported, "an archived chunk of a kind that this program is too old for");
  const bool is_sealed_frame = header.form == PayloadForm::kPlain || header.form == PayloadForm::kAge;
  if (header.type != ChunkType::kEvents || !is_sealed_frame)
    return fail(Errc::kCorrupt, "a chunk in archive form that no archive recompresses");
  if (facts.payload_bytes == 0 || facts.payload_bytes >= header.payload_bytes) {
    return fail(Errc::kCorrupt, fmt::format("an archived chunk of {} stored bytes, where the node had written {}",
                                            facts.payload_bytes, header.payload_bytes));
  }
  return facts;
}

std::string leaf_of(const ChunkView& chunk, std::string_view payload_hash) {
  std::string entry = written_header(chunk.bytes);
  entry += chunk.meta;
  entry += payload_hash;
  return merkle_leaf(entry);
}

Result<void> check_limits(const ChunkHeader& header) {
  const auto in = [](uint64_t value, uint64_t least, uint64_t most) { return value >= least && value <= most; };
  if (!in(header.raw_bytes, 1, kMaxRawBytes)) {
    return fail(Errc::kCorrupt, fmt::format("chunk of {} raw bytes, limit {}", header.raw_bytes, kMaxRawBytes));
  }
  if (!in(header.payload_bytes, 1, kMaxPayloadBytes)) {
    return fail(Errc::kCorrupt,
                fmt::format("chunk of {} stored bytes, limit {}", header.payload_bytes, kMaxPayloadBytes));
  }
  if (header.meta_bytes > kMaxMetaBytes) {
    return fail(Errc::kCorrupt, fmt::format("chunk with {} bytes of facts", header.meta_bytes));
  }
  if (header.type != ChunkType::kProof && !in(header.events, 1, kMaxChunkEvents)) {
    return fail(Errc::kCorrupt, fmt::format("chunk of {} events, limit {}", header.events, kMaxChunkEvents));
  }
  if (header.first_boot_ns > header.last_boot_ns) return fail(Errc::kCorrupt, "chunk ends before it begins");
  if ((header.type == ChunkType::kBegin) != (header.number == 0)) {
    return fail(Errc::kCorrupt, "chunk 0 begins a recording, and no other does");
  }
  return {};
}

}  // namespace

Result<ChunkHeader> parse_chunk_header(std::string_view bytes) {
  if (bytes.size() < kChunkHeaderBytes) {
    return fail(Errc::kTruncated, fmt::format("chunk header: {} of {} bytes", bytes.size(), kChunkHeaderBytes));
  }
  const bool is_archived = bytes.starts_with(kArchiveMagic);
  if (!is_archived && !bytes.starts_with(kMagic))
    return fail(Errc::kCorrupt, "no chunk begins here (the magic bytes are missing)");
  const uint32_t version = read_le32(bytes.data() + kVersionAt) & 0xffff;
  if (version != kVersion) {
    return fail(Errc::kUnsupported,
                fmt::format("recording format version {}; this program reads version {}: use one that fits", version,
                            kVersion));
  }
  ChunkHeader header = read_header(bytes.data());
  if (const uint32_t found = crc32c(written_header(bytes).substr(0, kHeaderCrcAt)); found != header.header_crc) {
    return fail(Errc::kCorrupt, fmt::format("header checksum {:08x}, it says {:08x}", found, header.header_crc));
  }
  if (static_cast<uint8_t>(header.type) > kLastType || static_cast<uint8_t>(header.form) > kLastForm) {
    return fail(Errc::kUnsupported, fmt::format("a chunk of type {} and form {}; this program is too old for it",
                                                static_cast<int>(header.type), static_cast<int>(header.form)));
  }
  if (Result<void> limits = check_limits(header); !limits) return fail(limits);
  if (!is_archived) return header;
  if (bytes.size() < kMaxHeaderBytes) {
    return fail(Errc::kTruncated,
                fmt::format("archived chunk's header: {} of {} bytes", bytes.size(), kMaxHeaderBytes));
  }
  const Result<ArchiveFacts> facts = read_facts(bytes.substr(kChunkHeaderBytes, kArchiveFactsBytes), header);
  if (!facts) return fail(facts);
  header.archived = *facts;
  return header;
}

Result<ChunkView> check_chunk(std::string_view whole_chunk) {
  const Result<ChunkHeader> header = parse_chunk_header(whole_chunk);
  if (!header) return fail(header);
  if (whole_chunk.size() < header->size()) {
    return fail(Errc::kTruncated, fmt::format("chunk: {} of {} bytes", whole_chunk.size(), header->size()));
  }
  if (whole_chunk.size() > header->size()) {
    return fail(Errc::kCorrupt, fmt::format("{} bytes after the chunk's end", whole_chunk.size() - header->size()));
  }
  const std::string_view body = whole_chunk.substr(header->head_bytes());
  const std::optional<ArchiveFacts>& archived = header->archived;
  const uint32_t said = archived ? archived->body_crc : header->body_crc;
  if (const uint32_t found = crc32c(body); found != said) {
    return fail(Errc::kCorrupt, fmt::format("checksum {:08x}, the header says {:08x}", found, said));
  }
  return ChunkView{.header = *header,
                   .bytes = whole_chunk,
                   .meta = body.substr(0, header->meta_bytes),
                   .payload = body.substr(header->meta_bytes)};
}

Result<ChunkMeta> parse_meta(const ChunkView& chunk) {
  ChunkMeta meta;
  if (!meta.ParseFromArray(chunk.meta.data(), static_cast<int>(chunk.meta.size())) ||
      meta.kinds_size() != meta.counts_size()) {
    return fail(Errc::kCorrupt, "the chunk's facts cannot be read");
  }
  return meta;
}

std::string encode_chunk(ChunkHeader header, const ChunkMeta& meta, std::string_view payload) {
  std::string chunk(kChunkHeaderBytes, '\0');
  meta.AppendToString(&chunk);
  header.meta_bytes = static_cast<uint32_t>(chunk.size() - kChunkHeaderBytes);
  header.payload_bytes = static_cast<uint32_t>(payload.size());
  chunk.reserve(chunk.size() + payload.size());
  chunk += payload;
  header.body_crc = crc32c(std::string_view(chunk).substr(kChunkHeaderBytes));
  return chunk.replace(0, kChunkHeaderBytes, header_bytes(header));
}

std::string encode_archived(const ChunkView& original, std::string_view payload) {
  ArchiveFacts facts{.written_payload = {}, .payload_bytes = static_cast<uint32_t>(payload.size()), .body_crc = 0};
  std::ranges::copy(sha256(original.payload), facts.written_payload.begin());
  const std::string body = std::string(original.meta) + std::string(payload);
  facts.body_crc = crc32c(body);
  std::string bytes = std::string(kArchiveMagic) + std::string(original.bytes.substr(
                                                       kArchiveMagic.size(), kChunkHeaderBytes - kArchiveMagic.size()));
  return bytes + facts_bytes(facts) + body;
}

std::string leaf_hash(const ChunkView& chunk) {
  const auto& archived = chunk.header.archived;
  if (!archived) return stored_leaf_hash(chunk);
  return leaf_of(chunk, std::string(archived->written_payload.begin(), archived->written_payload.end()));
}

std::string stored_leaf_hash(const ChunkView& chunk) { return leaf_of(chunk, sha256(chunk.payload)); }

}  // namespace cairn::recorder
