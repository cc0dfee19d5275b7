#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "auth/store/records.h"
#include "base/result.h"
#include "recorder/chunk.h"

namespace cairn::auth {

// What auth reads in decoded chunks about the session that they belong to. All pure.

// A first chunk must begin with the Begin of the session that auth has authorized, a final one must end with an End.
//   fails  kInvalid: it does not. kDenied: Begin names another node, user or login.
Result<void> check_batch(const v1::Session& authorized, const recorder::ChunkHeader& header,
                         const recorder::Batch& batch);

// The command line of the first channel in these events; empty for a shell, or when no channel is opened in them.
std::string first_command(const recorder::Batch& batch);
// When the session began, by the node's clock; `first` begins with a Begin.
int64_t start_of(const recorder::Batch& first);
// When it ended, by the node's clock at its beginning and the monotonic time since.
int64_t end_of(const recorder::Batch& first, const recorder::Event& end);
std::string_view reason_text(recording::v1::EndReason reason);  // "complete", "limit", "interrupted"
// session.end for the audit log, without its time.
AuditEvent end_event(const v1::Session& session, const SessionEnd& facts, const recorder::End& end);

}  // namespace cairn::auth
