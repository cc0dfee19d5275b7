#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "auth/access/authorize.h"
#include "auth/store/records.h"

namespace cairn::auth {

// Audit events as auth writes them; the kinds are listed in docs/audit-events.md. Texts are cut at 1 KiB.

using Field = std::pair<std::string_view, std::string_view>;

// Something that `who` did, or tried to do. The person is named in `user`, or the host in node_id and node_name; `by`
// in the fields says it in words.
AuditEvent event_by(const Subject& who, std::string_view kind, bool success, std::string_view message,
                    std::initializer_list<Field> fields = {});
// Something that somebody did who has not proven who they are.
AuditEvent event_by_stranger(std::string_view kind, std::string_view message, std::initializer_list<Field> fields = {});

// Something that auth did because a retention rule says so.
AuditEvent event_by_rule(std::string_view rule, std::string_view kind, std::string_view message);

// One event as a list, with the time.
Events at(int64_t wall_ns, AuditEvent event);

// Checks what a node wants to have in the log: kinds of its own (session.…, capture.…, spool.…, agent.… except those
// that auth itself writes), sizes.
//   fails  kInvalid, kDenied
Result<void> check_event_of_node(const AuditEvent& event);

}  // namespace cairn::auth
