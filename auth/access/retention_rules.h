#pragma once

#include <string>
#include <vector>

#include "auth/store/records.h"
#include "base/result.h"

namespace cairn::auth {

// How long rules keep recordings. docs/keeping.md has it for people.

// What the rules say of this session's recording: the longest time of all that match, and whose it is. Nothing is
// promised when none matches. Labels and roles that are not on record match every rule.
KeepPromise promise_by_rules(const std::vector<v1::RetentionRule>& rules, const SessionRecord& session);

// The promise that a recording has had, and the rules of now: a promise gets longer, never shorter; who deletes it in
// the end is for the rules of now.
KeepPromise lengthened(const KeepPromise& before, const KeepPromise& now);

//   fails  kInvalid: a name, label, login, role or user that can be none; no labels; a time that is too long
Result<void> check_retention_rule(const v1::RetentionRule& rule);

// "forever" for 0, else as a duration is written: "90d", "36h", "90s".
std::string keep_text(uint64_t keep_s);
// All that the rule says, for people and to tell whether it has changed: "env=prod; logins root; keep 90d".
std::string rule_text(const v1::RetentionRule& rule);

}  // namespace cairn::auth
