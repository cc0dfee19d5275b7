#include "agent/enroll/enrolment.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

#include "agent/enroll/ssh_host_key.h"
#include "base/bytes.h"
#include "base/file.h"

namespace cairn::agent {
namespace {

constexpr std::chrono::seconds kAnswerLimit{15};
constexpr size_t kMaxTokenFileBytes = 4096;
constexpr std::string_view kPinPrefix = "sha256:";

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// Retrying cannot help: somebody has to change something first.
bool is_final(const Error& error) {
  return error.code == Errc::kDenied || error.code == Errc::kUnauthenticated || error.code == Errc::kInvalid ||
         error.code == Errc::kUnsupported;
}

}  // namespace

Enrolment::Enrolment(EnrolmentOptions options, const Clock* clock, Log log, Ask ask)
    : options_(std::move(options)), clock_(clock), log_(std::move(log)), ask_(std::move(ask)) {}

awaitable<Result<NodeIdentity>> Enrolment::run() {
  Result<std::optional<NodeIdentity>> loaded = NodeIdentity::load(options_.data_dir);
  if (!loaded) co_return fail(loaded);
  std::optional<NodeIdentity>& stored = *loaded;
  if (!stored) co_return co_await join();
  const tunnel::Identity& identity = *stored->current();
  if (identity.not_after_s > clock_->wall_s()) co_return std::move(*stored);
  if (options_.token.empty()) co_return fail(Errc::kExpired, expired_sentence(identity));
  log_.warn("certificate.expired", kv("expired_at", format_utc(identity.not_after_s)), kv("node", identity.self.id));
  co_return co_await join();
}

awaitable<Result<NodeIdentity>> Enrolment::join() {
  const Result<std::string> secret = token();
  if (!secret) co_return fail(secret);
  if (Result<void> pin = check_pin(); !pin) co_return fail(pin);
  if (options_.ca_pin.empty()) {
    log_.warn("join.unpinned", kv("proxy", tunnel::address_text(options_.proxies.front())),
              kv("reason",
                 "--insecure-no-ca-pin: whoever answers at this address becomes this node's authority, and "
                 "may log in here as anyone"));
  }
  const Result<std::string> ssh_host_key = ensure_ssh_host_key(options_.data_dir);
  if (!ssh_host_key) co_return fail(ssh_host_key);
  const Result<tunnel::KeyPair> key = tunnel::generate_tls_key();
  if (!key) co_return fail(key);

  enroll::v1::EnrollRequest request;
  enroll::v1::JoinRequest& join = *request.mutable_join();
  join.set_token(*secret);
  join.set_name(options_.name);
  join.mutable_labels()->insert(options_.labels.begin(), options_.labels.end());
  join.set_tls_public_key(key->public_der);
  join.set_ssh_host_key(*ssh_host_key);
  join.set_version(CAIRN_VERSION);
  const Result<enroll::v1::JoinResponse> joined = co_await ask_until_answered(std::move(request));
  if (!joined) co_return fail(joined);

  Result<tunnel::Identity> identity =
      tunnel::make_identity(key->private_pem, joined->certificate(), joined->authorities());
  if (!identity) co_return fail(identity, "the identity that auth issued");
  if (identity->self.role != tunnel::Role::kNode)
    co_return fail(Errc::kDenied, "auth issued a certificate that is not a node's");
  Result<NodeIdentity> node = NodeIdentity::create(options_.data_dir, std::move(*identity));
  if (node) {
    const tunnel::Peer& self = node->current()->self;
    log_.info("join.done", kv("cluster", self.cluster), kv("node", self.id), kv("name", self.name));
  }
  co_return node;
}

awaitable<Result<enroll::v1::JoinResponse>> Enrolment::ask_until_answered(enroll::v1::EnrollRequest request) {
  Backoff backoff(options_.first_retry, options_.last_retry);
  for (size_t attempt = 0;; attempt++) {
    const tunnel::Address proxy = options_.proxies[attempt % options_.proxies.size()];
    Result<enroll::v1::EnrollResponse> response = co_await ask_(proxy, options_.ca_pin, request, after(kAnswerLimit));
    if (response && response->has_join()) co_return std::move(*response->mutable_join());
    if (response && response->has_error()) co_return fail(Errc::kDenied, response->error().message());
    if (response) co_return fail(Errc::kInvalid, "auth gave an answer of another kind to the wish to join");
    if (is_final(response.error())) co_return fail(response, "join");
    co_await end_if_cancelled();
    const std::chrono::milliseconds wait = backoff.next();
    log_.warn("join.retried", kv("retry_ms", wait.count()), kv_error(response.error()));
    co_await sleep_for(wait);
  }
}

Result<std::string> Enrolment::token() const {
  if (options_.token.empty()) {
    return fail(Errc::kInvalid,
                fmt::format("this node has not joined a cluster yet ({} holds no identity) and no token "
                            "is given; make one with \"cairn tokens add --type=node\" and pass --token",
                            options_.data_dir.string()));
  }
  if (options_.token.front() != '@') return options_.token;
  const std::filesystem::path path = options_.token.substr(1);
  const Result<std::string> contents = read_file(path, kMaxTokenFileBytes);
  if (!contents) return fail(contents, "token");
  const std::string_view secret = trimmed(*contents);
  if (secret.empty()) return fail(Errc::kInvalid, fmt::format("token: {} is empty", path.string()));
  return std::string(secret);
}

Result<void> Enrolment::check_pin() const {
  if (options_.ca_pin.empty() && options_.is_pin_waived) return {};
  if (options_.ca_pin.empty()) {
    return fail(
        Errc::kInvalid,
        "no CA pin is given, so anyone could pose as auth; pass --ca-pin with the pin that \"cairn tokens add\" "
        "printed beside the token (or, at your own risk, --insecure-no-ca-pin)");
  }
  const std::string_view pin = options_.ca_pin;
  const bool is_pin = pin.starts_with(kPinPrefix) && pin.size() == kPinPrefix.size() + 64 &&
                      from_hex(pin.substr(kPinPrefix.size())).has_value();
  if (is_pin) return {};
  return fail(Errc::kInvalid, fmt::format("CA pin \"{}\" is none: expected \"sha256:\" and 64 hexadecimal digits, as "
                                          "\"cairn tokens add\" prints it",
                                          pin));
}

}  // namespace cairn::agent
