#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "recorder/chunk.h"
#include "recorder/recording_keys.h"

namespace cairn::cli {

// The bytes of one recording, from auth or from a file.
class RecordingSource {
 public:
  struct Piece {
    std::string bytes;        // at most 1 MiB; empty: nothing lies at the offset
    bool is_live = false;     // more may come after these bytes
    uint64_t tail_chunk = 0;  // the number of the chunk that `tail` belongs to
    std::string tail;         // more pieces of the chunk that is not sealed yet; each is given once
  };

  virtual ~RecordingSource() = default;
  // What lies at `offset`; of a live recording with nothing new, waits for at most `wait`. Offset 0 begins anew.
  virtual Result<Piece> read(uint64_t offset, std::chrono::milliseconds wait) = 0;
  // The keys of the recording, which begins so.
  //   fails  kDenied: they are not to be had here; the sentence says what to do
  virtual Result<std::shared_ptr<const recorder::RecordingKeys>> unlock(const recorder::Opening& opening) = 0;
  // For people: a path, or "session UUID".
  virtual std::string name() const = 0;
};

}  // namespace cairn::cli
