#include <algorithm>

#include <fmt/format.h>

#include "auth/access/names.h"
#include "auth/access/password.h"
#include "auth/service/audit_events.h"
#include "auth/service/service.h"
#include "base/options.h"

namespace cairn::auth {
namespace {

constexpr uint64_t kMaxLingerS = 30 * 86'400;
constexpr uint64_t kMaxPipedOutputBytes = uint64_t{1} << 44;

Result<void> check_known(std::string_view what, const std::string& word, const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), word) != known.end()) return {};
  const std::string near = nearest_word(word, known);
  return fail(Errc::kInvalid, fmt::format("{} \"{}\" is none of {}{}", what, word.substr(0, 64), fmt::join(known, ", "),
                                          near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near)));
}

Result<void> check_verb(const std::string& verb) {
  std::vector<std::string> known = known_verbs();
  known.emplace_back("*");
  return check_known("verb", verb, known);
}

Result<void> check_role(const v1::Role& role) {
  if (role.policy().piped_output_bytes() > kMaxPipedOutputBytes)
    return fail(Errc::kInvalid, "role: more piped output than a recording can hold; leave the limit out to keep all");
  if (Result<void> good = check_name("role", role.name()); !good) return good;
  if (Result<void> good = check_labels(role.node_labels()); !good) return good;
  for (const int entries : {role.logins_size(), role.verbs_size(), role.forwards_size()}) {
    if (entries > static_cast<int>(kMaxListEntries))
      return fail(Errc::kInvalid, fmt::format("role: {} entries in a list, at most {}", entries, kMaxListEntries));
  }
  for (const std::string& login : role.logins()) {
    if (Result<void> good = check_login(login); !good) return good;
  }
  for (const std::string& verb : role.verbs()) {
    if (Result<void> good = check_verb(verb); !good) return good;
  }
  for (const std::string& forward : role.forwards()) {
    if (Result<void> good = check_known("forwarding", forward, known_forwards()); !good) return good;
  }
  if (role.policy().linger_limit_s() > kMaxLingerS)
    return fail(Errc::kInvalid,
                fmt::format("role: linger limit of {} s, at most {}", role.policy().linger_limit_s(), kMaxLingerS));
  return {};
}

// "root" is how the audit log calls root on the auth host.
Result<void> check_user_name(const std::string& name) {
  if (name == "root") return fail(Errc::kInvalid, "user \"root\": the name is taken by root on the auth host");
  return check_name("user", name);
}

}  // namespace

Service::Answer Service::status(const Subject& caller) {
  Result<std::vector<HostRecord>> hosts = store_->list_hosts(HostType::kNode);
  if (!hosts) return fail(hosts);
  const Result<uint64_t> live = store_->count_live_sessions(begun_after_wall_ns());
  if (!live) return fail(live);
  v1::Response response;
  v1::StatusResponse& status = *response.mutable_status();
  status.set_cluster(issuer_->cluster());
  status.set_version(CAIRN_VERSION);
  status.set_ca_pin(issuer_->authorities().ca_pin());
  status.set_identity(caller.text());
  status.set_nodes(hosts->size());
  status.set_nodes_online(static_cast<uint64_t>(std::count_if(hosts->begin(), hosts->end(), [&](HostRecord& host) {
    set_online(host.node);
    return host.node.online();
  })));
  status.set_live_sessions(*live);
  if (caller.kind != Subject::Kind::kUser) return response;
  const Result<std::vector<v1::Role>> roles = store_->roles_of(caller.name);
  if (!roles) return fail(roles);
  for (const v1::Role& role : *roles) status.add_roles(role.name());
  for (std::string& login : logins_of(*roles)) status.add_logins(std::move(login));
  return response;
}

Service::Answer Service::put_user(const Subject& caller, const v1::PutUserRequest& request) {
  if (Result<void> allowed = require_verb(caller, "users"); !allowed) return fail(allowed);
  if (Result<void> good = check_user_name(request.name()); !good) return fail(good);
  if (request.roles_size() > static_cast<int>(kMaxListEntries))
    return fail(Errc::kInvalid, fmt::format("{} roles, at most {}", request.roles_size(), kMaxListEntries));
  for (const std::string& role : request.roles()) {
    if (Result<void> good = check_name("role", role); !good) return fail(good);
  }
  UserRecord record;
  record.user.set_name(request.name());
  record.user.set_created_wall_s(clock_->wall_s());
  *record.user.mutable_roles() = request.roles();
  if (!request.password().empty()) {
    Result<std::string> hash = hash_password(request.password());
    if (!hash) return fail(hash);
    record.password_hash = std::move(*hash);
  }
  AuditEvent event =
      event_by(caller, "user.put", true,
               fmt::format("{} gave user {} the roles {}", caller.text(), request.name(),
                           request.roles().empty() ? "(none)" : fmt::format("{}", fmt::join(request.roles(), ", "))),
               {{"target", request.name()},
                {"roles", fmt::format("{}", fmt::join(request.roles(), ","))},
                {"password", request.password().empty() ? "" : "set"}});
  const Events events = at(clock_->wall_ns(), std::move(event));
  if (Result<void> put = store_->put_user(record, events); !put) return fail(put);
  return done();
}

Service::Answer Service::list_users(const Subject& caller) {
  if (Result<void> allowed = require_verb(caller, "users"); !allowed) return fail(allowed);
  const Result<std::vector<v1::User>> users = store_->list_users();
  if (!users) return fail(users);
  v1::Response response;
  response.mutable_list_users()->mutable_users()->Add(users->begin(), users->end());
  return response;
}

Service::Answer Service::delete_user(const Subject& caller, const v1::DeleteUserRequest& request) {
  if (Result<void> allowed = require_verb(caller, "users"); !allowed) return fail(allowed);
  if (Result<void> good = check_name("user", request.name()); !good) return fail(good);
  AuditEvent event =
      event_by(caller, "user.delete", true, fmt::format("{} removed user {}", caller.text(), request.name()),
               {{"target", request.name()}});
  const Events events = at(clock_->wall_ns(), std::move(event));
  if (Result<void> deleted = store_->delete_user(request.name(), events); !deleted) return fail(deleted);
  return done();
}

Service::Answer Service::set_password(const Subject& caller, const v1::SetPasswordRequest& request) {
  const bool is_own = request.user().empty() || (caller.kind == Subject::Kind::kUser && request.user() == caller.name);
  const std::string target = is_own ? caller.name : request.user();
  const Result<void> administers = require_verb(caller, "users");
  if (!administers && (administers.error().code != Errc::kDenied || !is_own)) return fail(administers);
  if (is_own) {
    if (const auto allowed = authorize(caller, ChangeOwnPassword{}, *store_); !allowed) return fail(allowed);
  }
  if (!administers) {
    const Result<void> right = enrolment_->check_password(target, request.old_password());
    if (!right && right.error().code == Errc::kDenied && right.error().message.starts_with("wrong"))
      return fail(Errc::kDenied, "the old password is wrong");
    if (!right) return fail(right);
  }
  const Result<std::string> hash = hash_password(request.password());
  if (!hash) return fail(hash);
  AuditEvent event =
      event_by(caller, "user.password", true, fmt::format("{} set the password of user {}", caller.text(), target),
               {{"target", target}});
  const Events events = at(clock_->wall_ns(), std::move(event));
  if (Result<void> set = store_->set_password(target, *hash, events); !set) return fail(set);
  return done();
}

Service::Answer Service::put_role(const Subject& caller, const v1::PutRoleRequest& request) {
  if (Result<void> allowed = require_verb(caller, "users"); !allowed) return fail(allowed);
  const v1::Role& role = request.role();
  if (Result<void> good = check_role(role); !good) return fail(good);
  const Labels labels(role.node_labels().begin(), role.node_labels().end());
  AuditEvent event =
      event_by(caller, "role.put", true, fmt::format("{} wrote role {}", caller.text(), role.name()),
               {{"target", role.name()},
                {"logins", fmt::format("{}", fmt::join(role.logins(), ","))},
                {"node_labels", format_labels(labels)},
                {"verbs", fmt::format("{}", fmt::join(role.verbs(), ","))},
                {"forwards", fmt::format("{}", fmt::join(role.forwards(), ","))},
                {"piped_output",
                 role.policy().has_piped_output_bytes() ? std::to_string(role.policy().piped_output_bytes()) : "all"}});
  if (Result<void> put = store_->put_role(role, at(clock_->wall_ns(), std::move(event))); !put) return fail(put);
  return done();
}

Service::Answer Service::list_roles(const Subject& caller) {
  if (Result<void> allowed = require_verb(caller, "users"); !allowed) return fail(allowed);
  const Result<std::vector<v1::Role>> roles = store_->list_roles();
  if (!roles) return fail(roles);
  v1::Response response;
  response.mutable_list_roles()->mutable_roles()->Add(roles->begin(), roles->end());
  return response;
}

Service::Answer Service::delete_role(const Subject& caller, const v1::DeleteRoleRequest& request) {
  if (Result<void> allowed = require_verb(caller, "users"); !allowed) return fail(allowed);
  if (Result<void> good = check_name("role", request.name()); !good) return fail(good);
  AuditEvent event =
      event_by(caller, "role.delete", true, fmt::format("{} removed role {}", caller.text(), request.name()),
               {{"target", request.name()}});
  const Events events = at(clock_->wall_ns(), std::move(event));
  if (Result<void> deleted = store_->delete_role(request.name(), events); !deleted) return fail(deleted);
  return done();
}

}  // namespace cairn::auth
