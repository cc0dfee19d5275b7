#include "auth/service/enrolment.h"

#include <utility>

#include <fmt/format.h>

#include "auth/access/authorize.h"
#include "auth/access/names.h"
#include "auth/access/password.h"
#include "auth/ca/pem.h"
#include "auth/ca/ssh_certificate.h"
#include "auth/service/audit_events.h"
#include "base/bytes.h"
#include "base/ssh_wire.h"

namespace cairn::auth {
namespace {

constexpr size_t kMaxTokenBytes = 256;
constexpr size_t kMaxVersionBytes = 64;
// A person mistypes five times in a row at most; then one attempt every ten seconds. All together bounds bcrypt's share
// of the machine: five attempts a second are about one CPU.
constexpr ThrottleLimits kEachUser{.burst = 5, .per_second = 0.1};
constexpr ThrottleLimits kAllUsers{.burst = 100, .per_second = 5};
// Tokens have 256 bits and cannot be guessed; this keeps the audit log from being flooded.
constexpr ThrottleLimits kAllJoins{.burst = 100, .per_second = 2};
constexpr const char* kAnyToken = "";

Result<void> check_join(const enroll::v1::JoinRequest& request) {
  if (request.token().empty() || request.token().size() > kMaxTokenBytes)
    return fail(Errc::kInvalid, "no join token was sent; ask an admin for \"cairn tokens add --type=node\"");
  if (Result<void> good = check_host_name(request.name()); !good) return good;
  if (Result<void> good = check_labels(request.labels()); !good) return good;
  if (Result<void> good = check_text("version", request.version(), kMaxVersionBytes); !good) return good;
  if (const Result<Key> key = p256_from_der(request.tls_public_key()); !key) return fail(key);
  if (request.ssh_host_key().empty()) return {};
  const Result<SshPublicKey> host_key = parse_ssh_public_key(request.ssh_host_key());
  if (!host_key) return fail(host_key, "host key");
  return check_subject_key(*host_key);
}

std::string_view type_of(HostType type) { return type == HostType::kProxy ? "proxy" : "node"; }

}  // namespace

Enrolment::Enrolment(Store* store, const Issuer* issuer, const Clock* clock, Log log)
    : store_(store),
      issuer_(issuer),
      clock_(clock),
      log_(std::move(log)),
      logins_(clock, kEachUser, kAllUsers),
      joins_(clock, kAllJoins, kAllJoins) {}

enroll::v1::EnrollResponse Enrolment::answer(const enroll::v1::EnrollRequest& request) {
  enroll::v1::EnrollResponse response;
  const auto refuse = [&](const Error& error) {
    response.mutable_error()->set_message(error.message);
    log_.warn("enroll.refused", kv("kind", request.has_login() ? "login" : "join"), kv("reason", error.message));
  };
  if (request.has_join()) {
    Result<enroll::v1::JoinResponse> joined = join(request.join());
    if (joined) *response.mutable_join() = std::move(*joined);
    if (!joined) refuse(joined.error());
  } else if (request.has_login()) {
    Result<enroll::v1::LoginResponse> granted = login(request.login());
    if (granted) *response.mutable_login() = std::move(*granted);
    if (!granted) refuse(granted.error());
  } else {
    refuse({make_error_code(Errc::kInvalid), "unknown kind of enrolment; this cairn-auth is older than who asks"});
  }
  return response;
}

Result<enroll::v1::JoinResponse> Enrolment::join(const enroll::v1::JoinRequest& request) {
  if (Result<void> good = check_join(request); !good) return fail(good);
  if (Result<void> admitted = joins_.admit(kAnyToken); !admitted) return fail(admitted);
  const std::string secret_sha256 = to_hex(sha256(request.token()));
  const Result<HostRecord> host = admit(request, secret_sha256);
  if (!host) {
    const Result<v1::Token> token = store_->find_token(secret_sha256);
    AuditEvent event = event_by_stranger("token.refused", host.error().message,
                                         {{"token", token ? token->name() : ""}, {"host", request.name()}});
    if (Result<void> noted = store_->append_audit(at(clock_->wall_ns(), std::move(event))); !noted) return fail(noted);
    return fail(host);
  }
  joins_.succeeded(kAnyToken);
  Result<std::string> certificate = issuer_->host_certificate(*host, request.tls_public_key());
  if (!certificate) return fail(certificate);
  log_.info("host.joined", kv("type", type_of(host->type)), kv("name", host->node.name()), kv("id", host->node.id()));
  enroll::v1::JoinResponse response;
  response.set_id(host->node.id());
  response.set_cluster(issuer_->cluster());
  response.set_certificate(std::move(*certificate));
  *response.mutable_authorities() = issuer_->authorities().public_parts();
  return response;
}

Result<HostRecord> Enrolment::admit(const enroll::v1::JoinRequest& request, const std::string& secret_sha256) {
  const Result<v1::Token> token = store_->find_token(secret_sha256);
  if (!token) return fail(token);
  JoinRecord record{.type = request.ssh_host_key().empty() ? HostType::kProxy : HostType::kNode,
                    .id = random_uuid(),
                    .name = request.name(),
                    .labels = Labels(request.labels().begin(), request.labels().end()),
                    .ssh_host_key = request.ssh_host_key(),
                    .version = request.version(),
                    .key_sha256 = to_hex(sha256(request.tls_public_key())),
                    .secret_sha256 = secret_sha256,
                    .now_wall_s = clock_->wall_s()};
  const Subject who{.kind = record.type == HostType::kProxy ? Subject::Kind::kProxy : Subject::Kind::kNode,
                    .name = record.name,
                    .id = record.id};
  const std::string_view type = type_of(record.type);
  Events events;
  events.push_back(event_by(who, "token.use", true, fmt::format("token \"{}\" used by {}", token->name(), record.name),
                            {{"token", token->name()}}));
  events.push_back(event_by(who, fmt::format("{}.join", type), true, fmt::format("{} {} joined", type, record.name),
                            {{"token", token->name()}, {"version", record.version}}));
  for (AuditEvent& event : events) event.set_wall_ns(clock_->wall_ns());
  return store_->join(record, events);
}

Result<void> Enrolment::refuse_login(const std::string& user) {
  AuditEvent event = event_by_stranger("user.login_failed", "wrong user name or password");
  event.set_user(user);
  if (Result<void> noted = store_->append_audit(at(clock_->wall_ns(), std::move(event))); !noted) return noted;
  return fail(Errc::kDenied, "wrong user name or password");
}

Result<void> Enrolment::check_password(const std::string& user, const std::string& password) {
  // What cannot be a name is refused with the same words, after the same time.
  const std::string name = check_name("user", user) ? user : "";
  if (Result<void> admitted = logins_.admit(name); !admitted) return admitted;
  const Result<UserRecord> found = store_->find_user(name);
  if (!found && found.error().code != Errc::kNotFound) return fail(found);
  if (!password_matches(password, found ? found->password_hash : std::string())) return refuse_login(name);
  logins_.succeeded(name);
  return {};
}

Result<enroll::v1::LoginResponse> Enrolment::login(const enroll::v1::LoginRequest& request) {
  if (Result<void> right = check_password(request.user(), request.password()); !right) return fail(right);
  const Result<std::vector<v1::Role>> roles = store_->roles_of(request.user());
  if (!roles) return fail(roles);
  const std::vector<std::string> logins = logins_of(*roles);
  Result<enroll::v1::LoginResponse> response = issuer_->user_certificates(request, logins);
  if (!response) return response;
  response->mutable_logins()->Add(logins.begin(), logins.end());
  const Subject who{.kind = Subject::Kind::kUser, .name = request.user(), .id = {}};
  AuditEvent event = event_by(who, "user.login", true, fmt::format("{} logged in", request.user()),
                              {{"expires", format_utc(response->expires_wall_s())}});
  if (Result<void> noted = store_->append_audit(at(clock_->wall_ns(), std::move(event))); !noted) return fail(noted);
  log_.info("user.login", kv("user", request.user()));
  return response;
}

}  // namespace cairn::auth
