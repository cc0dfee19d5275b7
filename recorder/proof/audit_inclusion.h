#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "recorder/chunk.h"
#include "recorder/proof/note.h"

namespace cairn::recorder {

// A place in the cluster's audit log that somebody has proved.
struct AuditPlace {
  uint64_t event = 0;           // from 1
  uint64_t events = 0;          // in the log, when auth signed it
  uint64_t signed_wall_ns = 0;  // when that was, by auth's clock
};

// Where the seal of a recording stands in the log.
//   auth     who signs the log
//   session  the recording's, and `root` that of its chunks, 32 bytes: what the event must name
//   fails    kUnauthenticated: the event is another, is not in the log, or auth has not signed that log
Result<AuditPlace> check_audit_inclusion(const AuditInclusion& inclusion, const NoteKey& auth, std::string_view session,
                                         std::string_view root);

}  // namespace cairn::recorder
