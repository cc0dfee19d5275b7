#pragma once

#include <string>

#include "auth/recordings/chunk_store.h"
#include "base/result.h"
#include "recorder/spool_file.h"

namespace cairn::auth {

// Counts the whole chunks of a recording file by their headers, and checks the last one wholly: each was synced before
// the next was begun, so only the last can be torn. The state's bytes are where the good part ends.
//   fails  kCorrupt: more follows the good part than one torn chunk can leave
Result<RecordingState> walk_recording(const recorder::SpoolFile& file, const std::string& session_id);

}  // namespace cairn::auth
