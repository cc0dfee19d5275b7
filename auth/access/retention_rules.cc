#include "auth/access/retention_rules.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "auth/access/authorize.h"
#include "auth/access/names.h"
#include "base/options.h"

namespace cairn::auth {
namespace {

constexpr uint64_t kMaxKeepS = uint64_t{10} * 365 * 86'400;  // what a duration can say at all

using Words = google::protobuf::RepeatedPtrField<std::string>;

bool allows(const Words& wanted, const std::string& word) {
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), word) != wanted.end();
}

// What is not known of a session is taken to match: too long is the lesser evil.
bool reaches_node(const v1::RetentionRule& rule, const SessionRecord& session) {
  if (!session.node_labels) return true;
  v1::Node node;
  node.mutable_labels()->insert(session.node_labels->begin(), session.node_labels->end());
  return labels_match(rule.node_labels(), node);
}

bool has_role(const v1::RetentionRule& rule, const SessionRecord& session) {
  if (rule.roles().empty() || !session.user_roles) return true;
  return std::any_of(session.user_roles->begin(), session.user_roles->end(),
                     [&](const std::string& role) { return allows(rule.roles(), role); });
}

bool matches(const v1::RetentionRule& rule, const SessionRecord& session) {
  return reaches_node(rule, session) && has_role(rule, session) && allows(rule.logins(), session.session.login()) &&
         allows(rule.users(), session.session.user());
}

int64_t seconds_of(const v1::RetentionRule& rule) {
  return rule.keep_s() == 0 ? kKeepForeverS : static_cast<int64_t>(rule.keep_s());
}

}  // namespace

KeepPromise promise_by_rules(const std::vector<v1::RetentionRule>& rules, const SessionRecord& session) {
  KeepPromise longest;
  for (const v1::RetentionRule& rule : rules) {
    if (seconds_of(rule) > longest.keep_s && matches(rule, session))
      longest = {.keep_s = seconds_of(rule), .rule = rule.name()};
  }
  return longest;
}

KeepPromise lengthened(const KeepPromise& before, const KeepPromise& now) {
  return {.keep_s = std::max(before.keep_s, now.keep_s), .rule = now.rule};
}

Result<void> check_retention_rule(const v1::RetentionRule& rule) {
  if (Result<void> good = check_name("retention rule", rule.name()); !good) return good;
  if (Result<void> good = check_labels(rule.node_labels()); !good) return good;
  if (rule.node_labels().empty()) {
    return fail(Errc::kInvalid, "retention rule: it needs node labels, or it is for no node; *=* is every node");
  }
  for (const Words* words : {&rule.logins(), &rule.roles(), &rule.users()}) {
    if (words->size() > static_cast<int>(kMaxListEntries))
      return fail(Errc::kInvalid, fmt::format("retention rule: at most {} logins, roles or users", kMaxListEntries));
  }
  for (const std::string& login : rule.logins()) {
    if (Result<void> good = check_login(login); !good) return good;
  }
  for (const std::string& role : rule.roles()) {
    if (Result<void> good = check_name("role", role); !good) return good;
  }
  for (const std::string& user : rule.users()) {
    if (Result<void> good = check_name("user", user); !good) return good;
  }
  if (rule.keep_s() > kMaxKeepS) return fail(Errc::kInvalid, "retention rule: at most ten years, or forever");
  return {};
}

std::string keep_text(uint64_t keep_s) {
  if (keep_s == 0 || keep_s >= static_cast<uint64_t>(kKeepForeverS)) return "forever";
  return format_duration(std::chrono::seconds(keep_s));
}

std::string rule_text(const v1::RetentionRule& rule) {
  std::string text = format_labels({rule.node_labels().begin(), rule.node_labels().end()});
  if (!rule.logins().empty()) text += fmt::format("; logins {}", fmt::join(rule.logins(), ","));
  if (!rule.roles().empty()) text += fmt::format("; roles {}", fmt::join(rule.roles(), ","));
  if (!rule.users().empty()) text += fmt::format("; users {}", fmt::join(rule.users(), ","));
  return text + "; keep " + keep_text(rule.keep_s());
}

}  // namespace cairn::auth
