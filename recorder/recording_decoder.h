#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "recorder/chunk.h"
#include "recorder/chunk_index.h"

namespace cairn::recorder {

// Push parser over the bytes of a recording from offset 0, however they are sliced. Trusts nothing: the bytes may come
// from anyone. One thread at a time.
//
// It needs at most kMaxChunkBytes to go on, so feed pieces of bounded size and take all events between two of them.
//
//   while (there are bytes) { decoder.feed(bytes); until next() gives nullopt or fails: one event }
//   decoder.finish()
class RecordingDecoder {
 public:
  void feed(std::string_view bytes);

  // The next event, or nullopt when more bytes are needed or the recording is complete.
  //   fails  kCorrupt, kUnsupported: the sentence names chunk number and file offset. Every later call fails the same.
  //          What was returned before is good. Refused besides broken chunks: a chunk of another session or with a
  //          wrong number, a Begin that is not the first event, an End that is not the last, bytes after the end.
  Result<std::optional<Event>> next();

  // The final chunk has been met; bytes may follow it, which next() refuses.
  bool has_final() const { return has_final_; }
  // The final chunk has been decoded and all its events returned.
  bool is_complete() const;

  // For the end of the bytes, with all events taken.
  //   fails  kTruncated: "recording ends after N whole chunks (offset X); M bytes of a torn chunk follow"; all before
  //   it
  //          was good. Otherwise the error that next() returned.
  Result<void> finish() const;

  uint64_t whole_chunks() const { return whole_chunks_; }
  uint64_t offset() const { return offset_; }            // file offset after the last whole chunk
  const ChunkIndex& index() const { return index_; }     // of the chunks decoded, the final one not included
  const ChunkHeader& header() const { return header_; }  // of the chunk decoded last

 private:
  Result<bool> decode_next_chunk();
  Result<void> check_place(const ChunkHeader& header) const;
  Result<void> check_order(const ChunkHeader& header, const Batch& batch) const;
  Failure fail_here(const Error& error) const;

  std::string buffer_;  // fed and not yet consumed, from consumed_ on
  size_t consumed_ = 0;
  uint64_t offset_ = 0;
  uint64_t whole_chunks_ = 0;
  ChunkHeader header_;
  std::array<unsigned char, 16> session_ = {};
  Batch batch_;
  int next_event_ = 0;
  bool has_final_ = false;
  ChunkIndex index_;
  std::optional<Error> error_;
};

}  // namespace cairn::recorder
