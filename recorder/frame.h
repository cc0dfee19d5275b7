#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <zstd.h>

#include "base/result.h"
#include "recorder/chunk.h"

namespace cairn::recorder {

// What a chunk's payload is when it lies open: one zstd frame (RFC 8878) of batches, each a 4-byte little-endian length
// and a Columns message. A frame is readable up to its last flush.

constexpr size_t kBatchLengthBytes = 4;
constexpr int kFrameWindowLog = 20;  // 1 MiB: bounds what a reader must allocate

struct CompressionDeleter {
  void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
};
using CompressionContext = std::unique_ptr<ZSTD_CCtx, CompressionDeleter>;
class FrameWriter;

// What compressing takes in memory, besides the frame's own bytes 0.7 MB at level 1; to be used for one frame after
// another.
class Compressor {
 public:
  // The next frame. One at a time; it may not be used when the next has been begun, or the compressor has gone.
  FrameWriter begin(int level);

 private:
  CompressionContext context_;
  int level_ = 0;  // what its tables are for
  // Of a frame before and after, kept as well: a flood makes a hundred frames a second.
  std::string raw_;
  std::string frame_;
};

// Compresses as bytes come.
class FrameWriter {
 public:
  // All that goes into the frame: append to it, kMaxRawBytes in all at most, and change nothing that is there. It stays
  // where it is until the frame has ended, so that zstd looks back into it and keeps no copy.
  std::string& raw() { return *raw_; }
  const std::string& raw() const { return *raw_; }
  // Makes the frame readable up to the end of raw().
  void flush();
  // Ends the frame.
  void end() { run(ZSTD_e_end, raw_->size()); }
  // Makes the ended frame anew at another level, readable to the same places; it stays as it is when that is no
  // shorter (a few lines over and over). Takes 2.8 MB while it does, at level 16.
  void compress_again(int level);

  // The frame so far; valid until there is more of it.
  std::string_view bytes() const { return std::string_view(*frame_).substr(0, bytes_); }

 private:
  friend class Compressor;
  FrameWriter(ZSTD_CCtx* context, std::string* raw, std::string* frame) : context_(context), raw_(raw), frame_(frame) {}
  void run(ZSTD_EndDirective directive, size_t up_to);

  ZSTD_CCtx* context_;
  std::string* raw_;
  std::string* frame_;
  std::vector<size_t> flushed_;  // raw bytes before each flush
  size_t taken_ = 0;             // of raw
  size_t bytes_ = 0;             // of frame
};

// Decompresses as bytes come, and hands out whole batches. Trusts nothing.
class FrameReader {
 public:
  //   raw_limit  the frame may not hold more than this
  explicit FrameReader(size_t raw_limit);

  //   fails  kCorrupt: no zstd frame, one that wants too much memory, or one that holds more than the limit
  Result<void> feed(std::string_view bytes);
  // The events of all batches that have become whole.
  //   fails  kCorrupt: a batch that cannot be read
  Result<Events> take();

  size_t raw_bytes() const { return raw_bytes_; }
  uint64_t unknown_events() const { return unknown_; }
  // Every byte of the frame has been handed out, and it has ended.
  bool is_complete() const { return has_ended_ && raw_.size() == taken_; }
  const std::string& raw() const { return raw_; }

 private:
  struct Deleter {
    void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_DCtx, Deleter> context_;
  size_t raw_limit_;
  size_t raw_bytes_ = 0;
  std::string raw_;  // all of it, since it is hashed as a whole
  size_t taken_ = 0;
  uint64_t unknown_ = 0;
  uint64_t events_ = 0;
  bool has_ended_ = false;
};

// A whole frame's raw bytes.
//   fails  kCorrupt: it does not hold exactly `raw_bytes`
Result<std::string> decompress_frame(std::string_view frame, size_t raw_bytes);
std::string compress_frame(std::string_view raw, int level);
// The same by somebody who has time and memory (13 MiB at level 12): nothing is flushed in between, so a frame that was
// cut is readable up to one of its blocks of 128 KiB.
std::string compress_for_archive(std::string_view raw, int level);

}  // namespace cairn::recorder
