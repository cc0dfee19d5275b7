#include "auth/access/authorize.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace cairn::auth {
namespace {

constexpr uint64_t kDefaultLingerS = 86'400;

template <class List> bool holds(const List& list, const std::string& wanted) {
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

std::string role_names(const std::vector<v1::Role>& roles) {
  if (roles.empty()) return "they have no role";
  std::vector<std::string> names;
  for (const v1::Role& role : roles) names.push_back(role.name());
  return fmt::format("none of their roles ({})", fmt::join(names, ", "));
}

bool has_verb(const std::vector<v1::Role>& roles, const std::string& verb) {
  return std::any_of(roles.begin(), roles.end(),
                     [&](const v1::Role& role) { return holds(role.verbs(), verb) || holds(role.verbs(), "*"); });
}

// Of two roles the one that keeps more; absent keeps all.
void keep_more_output(v1::RecordingPolicy& policy, const v1::RecordingPolicy& other) {
  if (!policy.has_piped_output_bytes()) return;
  if (!other.has_piped_output_bytes()) return policy.clear_piped_output_bytes();
  policy.set_piped_output_bytes(std::max(policy.piped_output_bytes(), other.piped_output_bytes()));
}

void make_stricter(v1::RecordingPolicy& policy, const v1::RecordingPolicy& other) {
  keep_more_output(policy, other);
  policy.set_require_kernel_events(policy.require_kernel_events() || other.require_kernel_events());
  policy.set_record_input(policy.record_input() || other.record_input());
  const uint64_t limit = other.linger_limit_s() == 0 ? kDefaultLingerS : other.linger_limit_s();
  if (policy.linger_limit_s() == 0 || limit < policy.linger_limit_s()) policy.set_linger_limit_s(limit);
}

// What a person may do, by their roles. One function for each action.
struct ByRoles {
  const Subject& subject;
  const std::vector<v1::Role>& roles;

  Result<Grant> operator()(const Administer& wanted) const {
    if (has_verb(roles, wanted.verb)) return Grant();
    return fail(Errc::kDenied,
                fmt::format("{} may not administer {}: {} the verb \"{}\"; ask an admin for a role with it",
                            subject.name, wanted.verb, lacking("has"), wanted.verb));
  }

  Result<Grant> operator()(const StartSession& wanted) const {
    Grant grant;
    bool is_reached = false;
    bool is_granted = false;
    for (const v1::Role& role : roles) {
      if (!labels_match(role.node_labels(), wanted.node)) continue;
      is_reached = true;
      if (!holds(role.logins(), wanted.login)) continue;
      if (!is_granted) grant.recording = role.policy();
      is_granted = true;
      make_stricter(grant.recording, role.policy());
      grant.forwards.insert(role.forwards().begin(), role.forwards().end());
    }
    if (is_granted) return grant;
    return fail(Errc::kDenied,
                fmt::format("{} may not log in as {} on {}: {} {}", subject.name, wanted.login, wanted.node.name(),
                            lacking("gives"), is_reached ? "this login there" : "access to this node"));
  }

  Result<Grant> operator()(const SeeNode& wanted) const {
    const bool is_reached = std::any_of(roles.begin(), roles.end(), [&](const v1::Role& role) {
      return labels_match(role.node_labels(), wanted.node);
    });
    if (is_reached || has_verb(roles, "nodes")) return Grant();
    return fail(Errc::kDenied,
                fmt::format("{} may not see this node: {} access to it", subject.name, lacking("gives")));
  }

  Result<Grant> operator()(const SeeSession& wanted) const {
    if (wanted.user == subject.name || has_verb(roles, "recordings")) return Grant();
    return fail(Errc::kDenied, fmt::format("{} may see their own sessions only: {} the verb \"recordings\"",
                                           subject.name, lacking("has")));
  }

  Result<Grant> operator()(const ServeSessions&) const { return fail(Errc::kDenied, "only nodes may do this"); }
  Result<Grant> operator()(const ReportPresence&) const { return fail(Errc::kDenied, "only proxies may do this"); }
  Result<Grant> operator()(const RenewCertificate&) const {
    return fail(Errc::kDenied, "only nodes and proxies renew; people run \"cairn login\"");
  }
  Result<Grant> operator()(const ChangeOwnPassword&) const { return Grant(); }

  std::string lacking(std::string_view verb) const {
    return roles.empty() ? fmt::format("{}, and only a role {}", role_names(roles), verb)
                         : fmt::format("{} {}", role_names(roles), verb);
  }
};

Result<Grant> authorize_node(const Subject& subject, const Action& action) {
  if (std::holds_alternative<ServeSessions>(action) || std::holds_alternative<RenewCertificate>(action)) return Grant();
  const auto* see = std::get_if<SeeNode>(&action);
  if (see != nullptr && see->node.id() == subject.id) return Grant();
  return fail(Errc::kDenied, fmt::format("{} may not do this; it takes a person", subject.text()));
}

Result<Grant> authorize_proxy(const Subject& subject, const Action& action) {
  // A proxy says to people whether a node is unknown or offline, hence it may see them all.
  if (std::holds_alternative<RenewCertificate>(action) || std::holds_alternative<SeeNode>(action) ||
      std::holds_alternative<ReportPresence>(action))
    return Grant();
  return fail(Errc::kDenied, fmt::format("{} may not do this; it takes a person or a node", subject.text()));
}

Result<Grant> authorize_root(const Action& action) {
  if (std::holds_alternative<ServeSessions>(action) || std::holds_alternative<RenewCertificate>(action))
    return fail(Errc::kDenied, "only a node may do this, over its own connection");
  if (std::holds_alternative<ReportPresence>(action)) return fail(Errc::kDenied, "only proxies may do this");
  if (std::holds_alternative<ChangeOwnPassword>(action))
    return fail(Errc::kInvalid, "root on the auth host has no password in the cluster; name the user");
  if (std::holds_alternative<StartSession>(action))
    return fail(Errc::kDenied, "root on the auth host is no user of the cluster; log in as one");
  return Grant();
}

}  // namespace

std::string Subject::text() const {
  switch (kind) {
    case Kind::kRoot: return "root on the auth host";
    case Kind::kUser: return fmt::format("user {}", name);
    case Kind::kNode: return fmt::format("node {} ({})", name, id);
    case Kind::kProxy: return fmt::format("proxy {} ({})", name, id);
  }
  return "nobody";
}

std::string Subject::person() const {
  if (kind == Kind::kRoot) return "root";
  return kind == Kind::kUser ? name : "";
}

const std::vector<std::string>& known_verbs() {
  static const std::vector<std::string> verbs = {"tokens", "users",    "nodes",     "audit", "recordings",
                                                 "holds",  "deletion", "retention", "keys"};
  return verbs;
}

const std::vector<std::string>& known_forwards() {
  static const std::vector<std::string> forwards = {"ports", "agent", "x11"};
  return forwards;
}

bool labels_match(const google::protobuf::Map<std::string, std::string>& wanted, const v1::Node& node) {
  if (wanted.empty()) return false;
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& label) {
    if (label.first == "*") return label.second == "*";
    const auto found = node.labels().find(label.first);
    return found != node.labels().end() && (label.second == "*" || label.second == found->second);
  });
}

std::vector<std::string> logins_of(const std::vector<v1::Role>& roles) {
  std::set<std::string> logins;
  for (const v1::Role& role : roles) logins.insert(role.logins().begin(), role.logins().end());
  return {logins.begin(), logins.end()};
}

namespace {

Result<Grant> decide(const Subject& subject, const Action& action, const std::vector<v1::Role>& roles) {
  switch (subject.kind) {
    case Subject::Kind::kRoot: return authorize_root(action);
    case Subject::Kind::kNode: return authorize_node(subject, action);
    case Subject::Kind::kProxy: return authorize_proxy(subject, action);
    case Subject::Kind::kUser: break;
  }
  return std::visit(ByRoles{.subject = subject, .roles = roles}, action);
}

Result<std::vector<v1::Role>> roles_of(const Subject& subject, Store& store) {
  if (subject.kind != Subject::Kind::kUser) return std::vector<v1::Role>();
  return store.roles_of(subject.name);
}

}  // namespace

Result<Grant> authorize(const Subject& subject, const Action& action, Store& store) {
  const Result<std::vector<v1::Role>> roles = roles_of(subject, store);
  if (!roles) return fail(roles);
  return decide(subject, action, *roles);
}

Result<std::vector<v1::Node>> visible_nodes(const Subject& subject, std::vector<v1::Node> nodes, Store& store) {
  const Result<std::vector<v1::Role>> roles = roles_of(subject, store);
  if (!roles) return fail(roles);
  std::vector<v1::Node> visible;
  for (v1::Node& node : nodes) {
    if (decide(subject, SeeNode{.node = node}, *roles)) visible.push_back(std::move(node));
  }
  return visible;
}

}  // namespace cairn::auth
