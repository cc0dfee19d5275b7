#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cairn::recorder {

// What is signed of a tree (C2SP tlog-checkpoint): its name, size and root. A recording's adds two lines of its own:
// when it was signed, and how far the chunk that is still open had come.
struct Checkpoint {
  struct Open {
    uint64_t chunk = 0;
    uint64_t bytes = 0;  // of its pieces
    std::string hash;    // SHA-256 of these bytes
  };

  std::string origin;  // "CLUSTER/recordings/SESSION_UUID"
  uint64_t size = 0;
  std::string root;      // 32 bytes
  uint64_t wall_ns = 0;  // CLOCK_REALTIME of who signed; 0: not said
  std::optional<Open> open = std::nullopt;
};

std::string checkpoint_text(const Checkpoint& checkpoint);
//   fails  kCorrupt: the text is none. Lines of other kinds are passed over.
Result<Checkpoint> parse_checkpoint(std::string_view text);

}  // namespace cairn::recorder
