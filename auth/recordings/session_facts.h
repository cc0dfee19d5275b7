#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "auth/store/records.h"
#include "base/result.h"
#include "recorder/chunk.h"

namespace cairn::auth {

// What auth reads in decoded chunks about the session that they belong to. All pure.

// A recording must begin with the Begin of the session that auth has authorized.
//   fails  kDenied: Begin names another session, node, user or login
Result<void> check_begin(const v1::Session& authorized, const recorder::Begin& begin);

// The command line of the first channel in these events; empty for a shell, or when no channel is opened in them.
std::string first_command(const recorder::Events& events);
// When the session began, by the node's clock.
int64_t start_of(const recorder::Opening& opening);
// When it ended, by the node's clock at its beginning and the monotonic time since.
int64_t end_of(const recorder::Opening& opening, const recorder::Event& end);
std::string_view reason_text(recording::v1::EndReason reason);  // "complete", "limit", "interrupted"
// session.end for the audit log, without its time.
AuditEvent end_event(const v1::Session& session, const SessionEnd& facts, const recorder::End& end);

}  // namespace cairn::auth
