#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace cairn::cli {

// The bytes of one recording, from auth or from a file.
class RecordingSource {
 public:
  struct Piece {
    std::string bytes;     // at most 1 MiB; empty: nothing lies at the offset
    bool is_live = false;  // more may come after these bytes
  };

  virtual ~RecordingSource() = default;
  // What lies at `offset`; of a live recording with nothing there, waits for at most `wait`.
  virtual Result<Piece> read(uint64_t offset, std::chrono::milliseconds wait) = 0;
  // For people: a path, or "session UUID".
  virtual std::string name() const = 0;
};

}  // namespace cairn::cli
