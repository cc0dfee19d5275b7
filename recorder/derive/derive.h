#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "recorder/recording_keys.h"

namespace cairn::recorder {

struct DeriveJob {
  UniqueFd recording;                 // UUID.rec, from offset 0
  UniqueFd derived;                   // what was derived before, to be gone on with; or empty
  UniqueFd draft;                     // empty: gets what the open chunk brings, as a derived file of its own; or none
  uint64_t pieces_of = 0;             // number of the open chunk
  std::string pieces;                 // of it, for the draft
  std::optional<RecordingKeys> keys;  // none: the recording is not encrypted
};

// Brings what is derived up to the recording's last whole chunk. Blocks on the disk and computes: some 20 MB/s of
// terminal output. Eats hostile bytes: run it in run_derive_process().
//   fails  as RecordingDecoder does; what was derived before stays
Result<void> derive(DeriveJob job);

}  // namespace cairn::recorder
