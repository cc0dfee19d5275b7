#include "recorder/chunk.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <zstd.h>

#include "base/bytes.h"
#include "recorder/crc32c.h"

namespace cairn::recorder {
namespace {

static_assert(kMaxStoredBytes == ZSTD_COMPRESSBOUND(kMaxRawBytes));

constexpr std::string_view kMagic = "CRNR";
constexpr uint32_t kVersion = 1;
constexpr uint32_t kFinalFlag = 1;
constexpr int kCompressionLevel = 1;

// Where the header's fields lie (docs/recording-format.md §2). Version and flags share one word.
constexpr size_t kVersionAt = 4;
constexpr size_t kSessionAt = 8;
constexpr size_t kNumberAt = 24;
constexpr size_t kFirstAt = 32;
constexpr size_t kLastAt = 40;
constexpr size_t kRawAt = 48;
constexpr size_t kStoredAt = 52;
constexpr size_t kEventsAt = 56;
constexpr size_t kCrcAt = 60;

template <auto Free> struct Deleter {
  void operator()(auto* p) const noexcept { Free(p); }
};
using Compressor = std::unique_ptr<ZSTD_CCtx, Deleter<ZSTD_freeCCtx>>;

std::string header_bytes(const ChunkHeader& header) {
  std::string bytes(kChunkHeaderBytes, '\0');
  std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
  write_le32(bytes.data() + kVersionAt, kVersion | (header.is_final ? kFinalFlag << 16 : 0));
  std::memcpy(bytes.data() + kSessionAt, header.session.data(), header.session.size());
  write_le64(bytes.data() + kNumberAt, header.number);
  write_le64(bytes.data() + kFirstAt, header.first_boot_ns);
  write_le64(bytes.data() + kLastAt, header.last_boot_ns);
  write_le32(bytes.data() + kRawAt, header.raw_bytes);
  write_le32(bytes.data() + kStoredAt, header.stored_bytes);
  write_le32(bytes.data() + kEventsAt, header.events);
  return bytes;
}

// Of a whole chunk; the checksum's own four bytes count as zero.
uint32_t checksum(std::string_view chunk) {
  constexpr std::string_view kZeros("\0\0\0\0", 4);
  return crc32c(chunk.substr(kChunkHeaderBytes), crc32c(kZeros, crc32c(chunk.substr(0, kCrcAt))));
}

Result<void> check_limits(const ChunkHeader& header) {
  if (header.raw_bytes == 0 || header.raw_bytes > kMaxRawBytes) {
    return fail(Errc::kCorrupt, fmt::format("chunk of {} raw bytes, limit {}", header.raw_bytes, kMaxRawBytes));
  }
  if (header.stored_bytes == 0 || header.stored_bytes > kMaxStoredBytes) {
    return fail(Errc::kCorrupt,
                fmt::format("chunk of {} stored bytes, limit {}", header.stored_bytes, kMaxStoredBytes));
  }
  // An event takes at least two bytes: its tag and its length.
  if (header.events == 0 || header.events > header.raw_bytes / 2) {
    return fail(Errc::kCorrupt, fmt::format("{} events in {} raw bytes", header.events, header.raw_bytes));
  }
  if (header.first_boot_ns > header.last_boot_ns) return fail(Errc::kCorrupt, "chunk ends before it begins");
  return {};
}

Result<std::string> decompress(std::string_view frame, uint32_t raw_bytes) {
  if (ZSTD_findFrameCompressedSize(frame.data(), frame.size()) != frame.size()) {
    return fail(Errc::kCorrupt, "the chunk does not hold exactly one zstd frame");
  }
  if (ZSTD_getFrameContentSize(frame.data(), frame.size()) != raw_bytes) {
    return fail(Errc::kCorrupt, fmt::format("the zstd frame does not hold {} bytes", raw_bytes));
  }
  std::string raw(raw_bytes, '\0');
  const size_t got = ZSTD_decompress(raw.data(), raw.size(), frame.data(), frame.size());
  if (ZSTD_isError(got) != 0) return fail(Errc::kCorrupt, fmt::format("zstd: {}", ZSTD_getErrorName(got)));
  if (got != raw_bytes) return fail(Errc::kCorrupt, fmt::format("zstd frame of {} bytes, not {}", got, raw_bytes));
  return raw;
}

// Earliest and latest time of a batch that is not empty.
std::pair<uint64_t, uint64_t> times(const Batch& batch) {
  const auto [first, last] = std::ranges::minmax_element(batch.events(), {}, &Event::boot_ns);
  return {first->boot_ns(), last->boot_ns()};
}

Result<void> check_times(const ChunkHeader& header, const Batch& batch) {
  if (times(batch) != std::pair(header.first_boot_ns, header.last_boot_ns)) {
    return fail(Errc::kCorrupt, "the header's times are not those of the events");
  }
  return {};
}

}  // namespace

Result<ChunkHeader> parse_chunk_header(std::string_view bytes) {
  if (bytes.size() < kChunkHeaderBytes) {
    return fail(Errc::kTruncated, fmt::format("chunk header: {} of {} bytes", bytes.size(), kChunkHeaderBytes));
  }
  if (!bytes.starts_with(kMagic)) return fail(Errc::kCorrupt, "no chunk begins here (the magic bytes are missing)");
  const uint32_t version = read_le32(bytes.data() + kVersionAt) & 0xffff;
  const uint32_t flags = read_le32(bytes.data() + kVersionAt) >> 16;
  if (version != kVersion) {
    return fail(
        Errc::kUnsupported,
        fmt::format("recording format version {}; this program reads version {}: upgrade it", version, kVersion));
  }
  if ((flags & ~kFinalFlag) != 0) return fail(Errc::kCorrupt, fmt::format("unknown chunk flags {:#x}", flags));
  ChunkHeader header;
  header.is_final = (flags & kFinalFlag) != 0;
  std::memcpy(header.session.data(), bytes.data() + kSessionAt, header.session.size());
  header.number = read_le64(bytes.data() + kNumberAt);
  header.first_boot_ns = read_le64(bytes.data() + kFirstAt);
  header.last_boot_ns = read_le64(bytes.data() + kLastAt);
  header.raw_bytes = read_le32(bytes.data() + kRawAt);
  header.stored_bytes = read_le32(bytes.data() + kStoredAt);
  header.events = read_le32(bytes.data() + kEventsAt);
  header.crc32c = read_le32(bytes.data() + kCrcAt);
  if (Result<void> limits = check_limits(header); !limits) return fail(limits);
  return header;
}

Result<ChunkHeader> check_chunk(std::string_view whole_chunk) {
  Result<ChunkHeader> header = parse_chunk_header(whole_chunk);
  if (!header) return header;
  if (whole_chunk.size() < header->size()) {
    return fail(Errc::kTruncated, fmt::format("chunk: {} of {} bytes", whole_chunk.size(), header->size()));
  }
  if (whole_chunk.size() > header->size()) {
    return fail(Errc::kCorrupt, fmt::format("{} bytes after the chunk's end", whole_chunk.size() - header->size()));
  }
  if (const uint32_t found = checksum(whole_chunk); found != header->crc32c) {
    return fail(Errc::kCorrupt, fmt::format("checksum {:08x}, the header says {:08x}", found, header->crc32c));
  }
  return header;
}

Result<Batch> decode_chunk(std::string_view whole_chunk) {
  const Result<ChunkHeader> header = check_chunk(whole_chunk);
  if (!header) return fail(header);
  const Result<std::string> raw = decompress(whole_chunk.substr(kChunkHeaderBytes), header->raw_bytes);
  if (!raw) return fail(raw);
  Batch batch;
  if (!batch.ParseFromString(*raw)) return fail(Errc::kCorrupt, "the chunk's content is no batch of events");
  if (static_cast<uint32_t>(batch.events_size()) != header->events) {
    return fail(Errc::kCorrupt, fmt::format("{} events, the header says {}", batch.events_size(), header->events));
  }
  if (Result<void> match = check_times(*header, batch); !match) return fail(match);
  return batch;
}

Result<std::string> encode_chunk(ChunkHeader header, const Batch& batch) {
  const size_t raw_bytes = batch.ByteSizeLong();
  if (raw_bytes > kMaxRawBytes) {
    return fail(Errc::kTooLarge, fmt::format("batch of {} bytes, limit {}", raw_bytes, kMaxRawBytes));
  }
  if (batch.events().empty()) return fail(Errc::kInvalid, "a chunk needs at least one event");
  const std::string raw = batch.SerializeAsString();
  std::string frame(ZSTD_compressBound(raw.size()), '\0');
  const Compressor compressor(ZSTD_createCCtx());
  if (!compressor) return fail(Errc::kInternal, "zstd: no memory for a compression context");
  const size_t stored =
      ZSTD_compressCCtx(compressor.get(), frame.data(), frame.size(), raw.data(), raw.size(), kCompressionLevel);
  if (ZSTD_isError(stored) != 0) return fail(Errc::kInternal, fmt::format("zstd: {}", ZSTD_getErrorName(stored)));
  frame.resize(stored);

  std::tie(header.first_boot_ns, header.last_boot_ns) = times(batch);
  header.raw_bytes = static_cast<uint32_t>(raw.size());
  header.stored_bytes = static_cast<uint32_t>(stored);
  header.events = static_cast<uint32_t>(batch.events_size());
  std::string chunk = header_bytes(header) + frame;
  write_le32(chunk.data() + kCrcAt, checksum(chunk));
  return chunk;
}

}  // namespace cairn::recorder
