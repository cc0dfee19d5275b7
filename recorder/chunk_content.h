#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "recorder/chunk.h"
#include "recorder/frame.h"
#include "recorder/recording_keys.h"

namespace cairn::recorder {

struct ChunkContent {
  Events events;
  uint64_t unknown = 0;      // of kinds that this reader does not know
  bool is_verified = false;  // the events are what the header's digest says; pieces have none
};

// What a whole chunk holds.
//   keys   nullptr: none are at hand
//   fails  kDenied: it is encrypted, and there are no keys. kCorrupt: it does not hold what its header says, or not
//          with these keys
Result<ChunkContent> read_chunk(const ChunkView& chunk, const RecordingKeys* keys);

// The raw bytes of a sealed chunk of events (kPlain, kAge), which are what the header's digest was made of.
//   fails  kDenied, kCorrupt: as read_chunk; kUnsupported: of a chunk in pieces
Result<std::string> read_raw(const ChunkView& chunk, const RecordingKeys* keys);

// What can be read of a chunk whose end is missing: the batches that are whole. Nothing of it is proved.
//   bytes  from the chunk's header on
Events salvage_chunk(std::string_view bytes, const RecordingKeys* keys);

// Chunk 0, the last one, and the proof behind it.
//   fails  kCorrupt: it is of another type, or does not hold what it must
Result<Opening> read_opening(const ChunkView& chunk);
Result<Closing> read_closing(const ChunkView& chunk);
Result<Proof> read_proof(const ChunkView& chunk);

// The events of a chunk as its pieces come, before it is sealed.
class PieceReader {
 public:
  // `keys` may be nullptr for a recording that is not encrypted; else it outlives the reader.
  PieceReader(uint64_t chunk, const RecordingKeys* keys);

  // The events that `record`, a whole one of this chunk, brings.
  //   fails  as read_chunk
  Result<Events> add(std::string_view record);

  uint64_t events() const { return events_; }  // returned so far
  uint64_t unknown_events() const { return unknown_; }
  uint64_t raw_bytes() const { return raw_bytes_; }

 private:
  uint64_t chunk_;
  std::optional<Secret> key_;
  uint64_t counter_ = 0;
  uint64_t events_ = 0;
  uint64_t unknown_ = 0;
  uint64_t raw_bytes_ = 0;
};

}  // namespace cairn::recorder
