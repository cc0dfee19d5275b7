#pragma once

#include <string>

#include "proto/audit.pb.h"

namespace cairn::recorder {

// An audit event as its leaf of the log's tree has it: JSON without spaces, keys in order, so that any program can make
// the same of what "cairn audit search --format=json" prints:
//   json.dumps({k: event[k] for k in (all but "leaf")}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
std::string audit_entry(const audit::v1::AuditEvent& event);

}  // namespace cairn::recorder
