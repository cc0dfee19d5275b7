#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "proto/recording.pb.h"

namespace cairn::recorder {

using recording::v1::Batch;
using recording::v1::Begin;
using recording::v1::End;
using recording::v1::Event;
using recording::v1::Gap;

// The container of a recording: a 64-byte header and one zstd frame that holds a Batch. A recording file is chunks end
// to end, nothing between, before or after. Format: docs/recording-format.md. All functions here are pure; any thread.

constexpr size_t kChunkHeaderBytes = 64;
// What a reader refuses to exceed, checked before anything is allocated for it. Decoded, a chunk of the worst shape
// (empty messages) takes 64 times its raw bytes (measured).
constexpr size_t kMaxRawBytes = size_t{1} << 20;
constexpr size_t kMaxStoredBytes = kMaxRawBytes + (kMaxRawBytes >> 8);  // ZSTD_COMPRESSBOUND(kMaxRawBytes)
constexpr size_t kMaxChunkBytes = kChunkHeaderBytes + kMaxStoredBytes;
// TerminalOutput.data of one event.
constexpr size_t kMaxOutputBytes = 32768;

struct ChunkHeader {
  bool is_final = false;                       // the recording's last chunk: its last event is the End
  std::array<unsigned char, 16> session = {};  // the session's UUID
  uint64_t number = 0;                         // from 0, without gaps
  uint64_t first_boot_ns = 0;                  // smallest of its events
  uint64_t last_boot_ns = 0;                   // largest of its events
  uint32_t raw_bytes = 0;                      // of the serialised Batch, 1..kMaxRawBytes
  uint32_t stored_bytes = 0;                   // of the zstd frame, 1..kMaxStoredBytes
  uint32_t events = 0;                         // in the Batch, at least 1
  uint32_t crc32c = 0;                         // over the header with this field zero, then the frame

  size_t size() const { return kChunkHeaderBytes + stored_bytes; }  // header and frame
};

// The header at the beginning of `bytes`, which hold at least kChunkHeaderBytes. Checks magic, version, flags and
// limits, not the checksum: enough to know how many bytes to wait for.
//   fails  kTruncated: fewer bytes. kCorrupt: no chunk begins here, or it names impossible sizes. kUnsupported: a chunk
//          of another format version.
Result<ChunkHeader> parse_chunk_header(std::string_view bytes);

// The header of exactly one whole chunk, checksum included. What is inside the frame is not looked at.
//   fails  as parse_chunk_header; kTruncated when bytes are missing, kCorrupt when bytes follow or the checksum
//   differs.
Result<ChunkHeader> check_chunk(std::string_view whole_chunk);

// The events of exactly one whole chunk, after all of check_chunk's checks.
//   fails  as check_chunk; kCorrupt when the frame does not hold what the header says.
Result<Batch> decode_chunk(std::string_view whole_chunk);

// One whole chunk. `header` gives is_final, session and number; all else is computed.
//   fails  kTooLarge: the batch is beyond kMaxRawBytes. kInvalid: it is empty. kInternal: zstd refused.
Result<std::string> encode_chunk(ChunkHeader header, const Batch& batch);

}  // namespace cairn::recorder
