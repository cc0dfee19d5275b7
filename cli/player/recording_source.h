#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "recorder/chunk.h"
#include "recorder/derive/derived_lookup.h"
#include "recorder/recording_decoder.h"
#include "recorder/recording_keys.h"

namespace cairn::cli {

// How far a reader has come.
struct ReadPlace {
  uint64_t offset = 0;
  uint64_t tail_chunk = 0;  // whose first tail_bytes of pieces it has
  uint64_t tail_bytes = 0;
};

// What a recording is read for, as auth puts it on record: play, follow, verify, download, export, search, key.
struct Reading {
  std::string purpose;
  std::string form = {};  // of an export
};

// The keys of a recording that begins so: as `unlock` gives them, or, where its beginning is not sealed for whoever
// that asks, as it gives them for what was sealed later.
//   later  an age file of the recording's secret; empty: there is none
Result<std::shared_ptr<const recorder::RecordingKeys>> unlock_either(const recorder::Unlock& unlock,
                                                                     const recorder::Opening& opening,
                                                                     std::string_view later);

// The bytes of one recording, from auth or from a file.
class RecordingSource {
 public:
  static constexpr size_t kMaxPieceBytes = 1 << 20;

  struct Piece {
    std::string bytes;        // empty: nothing lies at the offset
    bool is_live = false;     // more may come after these bytes
    uint64_t tail_chunk = 0;  // the number of the chunk that `tail` belongs to
    std::string tail;         // the pieces that follow the reader's, of the chunk that is not sealed yet
  };

  virtual ~RecordingSource() = default;
  // Up to `limit_bytes` from the place on; of a live recording with nothing new, waits for at most `wait`.
  virtual Result<Piece> read(const ReadPlace& from, size_t limit_bytes, std::chrono::milliseconds wait) = 0;
  // The keys of the recording, which begins so.
  //   fails  kDenied: they are not to be had here; the sentence says what to do
  virtual Result<std::shared_ptr<const recorder::RecordingKeys>> unlock(const recorder::Opening& opening) = 0;
  // As recorder::find_moment(), where somebody has derived what it takes.
  //   fails  kUnsupported, kDenied: nobody has; anything else: who has cannot be asked
  virtual Result<std::optional<recorder::Moment>> find(uint64_t at_ns, recorder::Step step) = 0;
  // The same for the same bytes, another for others; good for a file's name.
  virtual std::string identity() const = 0;
  // An age file of the recording's secret for recipients that came later, once its beginning has been read; empty:
  // there is none.
  virtual std::string later_keys() const { return {}; }
  // For people: a path, or "session UUID".
  virtual std::string name() const = 0;
};

}  // namespace cairn::cli
