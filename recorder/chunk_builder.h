#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "recorder/chunk.h"
#include "recorder/crypto.h"
#include "recorder/frame.h"
#include "recorder/recording_keys.h"

namespace cairn::recorder {

// Where the kernel's numbers stand after what a chunk holds.
struct KernelPosition {
  uint64_t settled = 0;  // every number up to this one is stored or in a gap
  uint64_t stored = 0;
};

// What a chunk is told before its first event.
struct ChunkPlace {
  std::array<unsigned char, 16> session = {};
  uint64_t number = 0;
  std::string previous;  // leaf hash of the chunk before
  ClockAnchor anchor;
};

// One chunk of events in the making: takes batches, gives out pieces for the tail as it goes, and in the end the
// sealed chunk. Pure: touches no file. One thread at a time.
class ChunkBuilder {
 public:
  // `keys`, nullptr for a recording that is not encrypted, and `compressor` outlive it.
  ChunkBuilder(const ChunkPlace& place, const RecordingKeys* keys, Compressor& compressor, int level);

  // `events`, at least one, are consumed.
  void add(Events events, const KernelPosition& after);

  bool empty() const { return header_.events == 0; }
  // Raw, and of the frame; what waits to be compressed is estimated.
  size_t raw_bytes() const { return header_.raw_bytes + waiting_bytes_; }
  size_t frame_bytes() const { return frame_.bytes().size() + waiting_bytes_; }
  // Raw: of what the next piece would hold.
  size_t unwritten_bytes() const { return frame_.raw().size() - unwritten_from_ + waiting_bytes_; }
  uint32_t events() const { return header_.events; }
  bool is_written() const { return written_events_ == header_.events; }  // all of it is in pieces on the disk
  const ChunkHeader& header() const { return header_; }

  // The tail's record that says that this chunk is begun.
  std::string start_record() const;
  // The tail's record of what no piece on the disk holds yet. Each call uses a number that no other does, whatever
  // becomes of its record.
  std::string make_piece();
  // What the last piece held is on the disk.
  void note_written();

  // The chunk, compressed anew at `level` where one is given. Nothing may be added afterwards; may be called again.
  const std::string& seal(std::optional<int> level = std::nullopt);

 private:
  void frame_waiting();
  std::string encrypted() const;  // the frame, as its form wants it

  const RecordingKeys* keys_;
  ChunkHeader header_;                    // its raw_bytes: of what is in the frame
  std::array<uint64_t, 64> counts_ = {};  // by bit of header_.kinds
  ChunkMeta meta_;
  Events waiting_;  // not in the frame yet: larger batches compress better
  size_t waiting_bytes_ = 0;
  size_t waiting_written_ = 0;  // the first of them that are in pieces on the disk
  FrameWriter frame_;
  Digest content_;  // of all that is in the frame

  Secret piece_key_;
  uint64_t counter_ = 0;
  size_t unwritten_from_ = 0;  // where in the frame's raw bytes the batches begin that are in no piece on the disk
  uint32_t written_events_ = 0;
  uint64_t piece_raw_bytes_ = 0;  // of all pieces on the disk
  uint64_t last_piece_raw_bytes_ = 0;
  std::string sealed_;
};

// Chunk 0 and the last one, which lie open.
std::string encode_opening(const ChunkPlace& place, const Opening& opening);
std::string encode_closing(const ChunkPlace& place, const Closing& closing, const KernelPosition& position);
// A chunk of events that are nobody's secret, by who has no keys: the gaps that a closer finds.
std::string encode_plain_events(const ChunkPlace& place, Events events, const KernelPosition& after);

}  // namespace cairn::recorder
