#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "recorder/chunk.h"
#include "recorder/chunk_content.h"
#include "recorder/chunk_index.h"
#include "recorder/recording_keys.h"

namespace cairn::recorder {

// The keys of the recording that begins so; asked once, of recordings that are encrypted.
//   fails  kDenied: none are at hand
using Unlock = std::function<Result<std::shared_ptr<const RecordingKeys>>(const Opening&)>;

// Push parser over the bytes of a recording from offset 0, however they are sliced. Trusts nothing: the bytes may come
// from anyone. One thread at a time.
//
// It needs at most kMaxChunkBytes to go on, so feed pieces of bounded size and take all events between two of them.
//
//   while (there are bytes) { decoder.feed(bytes); until next() gives nullopt or fails: one event }
//   decoder.finish()
class RecordingDecoder {
 public:
  // Without `unlock` an encrypted recording gives its Begin and then fails with kDenied.
  explicit RecordingDecoder(Unlock unlock = {}) : unlock_(std::move(unlock)) {}

  void feed(std::string_view bytes);
  // Whole piece records of chunk `number`, in order, none twice: what there is of the chunk that is still open. The
  // chunk itself, when it is fed, gives what the pieces have not given yet.
  void feed_pieces(uint64_t number, std::string_view records);

  // The next event, or nullopt when more bytes are needed or the recording is complete.
  //   fails  kCorrupt, kUnsupported, kDenied: the sentence names chunk number and file offset. Every later call fails
  //          the same. What was returned before is good. Refused besides broken chunks: a chunk of another session,
  //          with a wrong number, or that does not continue the one before it; no Begin, bytes after the end.
  Result<std::optional<Event>> next();

  // Goes on at chunk `number`, which lies at `offset`; the bytes fed next are those from there on. Chunk 0 must have
  // been decoded.
  void jump(uint64_t number, uint64_t offset);

  // The final chunk has been met.
  bool has_final() const { return has_final_; }
  // The final chunk has been decoded and all its events returned.
  bool is_complete() const;

  // For the end of the bytes, with all events taken.
  //   fails  kTruncated: "recording ends after N whole chunks (offset X); M bytes of a torn chunk follow"; all before
  //          it was good. Otherwise the error that next() returned.
  Result<void> finish() const;

  // After finish() has failed with kTruncated: the events of the torn chunk that can still be read and were not
  // returned yet. Nothing proves them: the chunk's checks were cut off with its end.
  Events salvage() const;

  uint64_t whole_chunks() const { return whole_chunks_; }
  uint64_t offset() const { return offset_; }            // file offset after the last whole chunk
  const ChunkIndex& index() const { return index_; }     // of the chunks of events decoded, as the node wrote them
  const ChunkHeader& header() const { return header_; }  // of the chunk decoded last
  const Opening& opening() const { return opening_; }    // once chunk 0 is decoded
  uint64_t unknown_events() const { return unknown_; }   // skipped: of kinds that this reader does not know
  const std::string& proof() const { return proof_; }    // payload of the proof behind the recording; empty: none

 private:
  Result<bool> decode_next_chunk();
  Result<bool> decode_next_piece();
  Result<void> check_place(const ChunkHeader& header) const;
  Result<Events> events_of(const ChunkView& chunk);
  Error why_locked(const Error& error) const;
  Failure fail_here(const Error& error) const;

  Unlock unlock_;
  std::shared_ptr<const RecordingKeys> keys_;
  std::optional<Error> locked_;  // why there are none
  Opening opening_;
  std::string buffer_;  // fed and not yet consumed, from consumed_ on
  size_t consumed_ = 0;
  uint64_t offset_ = 0;
  uint64_t written_offset_ = 0;  // where it would be without archived chunks; of no meaning after a jump
  uint64_t whole_chunks_ = 0;
  ChunkHeader header_;
  std::array<unsigned char, 16> session_ = {};
  std::string last_leaf_;  // empty after a jump
  Events events_;
  size_t next_event_ = 0;

  std::string pieces_;  // of chunk pieces_of_, from pieces_used_ on
  uint64_t pieces_of_ = 0;
  size_t pieces_used_ = 0;
  std::unique_ptr<PieceReader> piece_reader_;
  uint64_t given_of_ = 0;  // the chunk whose pieces were decoded last; those of the next may be fed before it is
  size_t given_ = 0;       // its events among them

  bool has_final_ = false;
  uint64_t unknown_ = 0;
  ChunkIndex index_;
  std::string proof_;
  std::optional<Error> error_;
};

}  // namespace cairn::recorder
