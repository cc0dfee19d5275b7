#include <fmt/format.h>

#include "auth/access/names.h"
#include "auth/service/audit_events.h"
#include "auth/service/service.h"
#include "base/bytes.h"

namespace cairn::auth {
namespace {

constexpr uint32_t kMaxTokenTtlS = 30 * 86'400;
constexpr size_t kSecretBytes = 32;

// Base64 as URLs and shells bear it (RFC 4648 §5), without padding.
std::string make_secret() {
  std::string text = to_base64(random_bytes(kSecretBytes));
  while (text.ends_with('=')) text.pop_back();
  for (char& c : text) {
    if (c == '+') c = '-';
    if (c == '/') c = '_';
  }
  // A dash in front would read as an option on a command line.
  return text.starts_with('-') ? make_secret() : text;
}

std::string_view type_word(v1::TokenType type) { return type == v1::TOKEN_TYPE_PROXY ? "proxy" : "node"; }

Result<void> check_request(const v1::CreateTokenRequest& request) {
  if (request.type() != v1::TOKEN_TYPE_NODE && request.type() != v1::TOKEN_TYPE_PROXY)
    return fail(Errc::kInvalid, "token: its type is node or proxy");
  if (request.ttl_s() > kMaxTokenTtlS)
    return fail(Errc::kInvalid, fmt::format("token: valid for {} s, at most {}", request.ttl_s(), kMaxTokenTtlS));
  if (!request.name().empty()) {
    if (Result<void> good = check_name("token", request.name()); !good) return good;
  }
  return check_labels(request.labels());
}

}  // namespace

Service::Answer Service::create_token(const Subject& caller, const v1::CreateTokenRequest& request) {
  if (Result<void> allowed = require_verb(caller, "tokens"); !allowed) return fail(allowed);
  if (Result<void> good = check_request(request); !good) return fail(good);
  const int64_t now = clock_->wall_s();
  v1::Token token;
  token.set_name(request.name().empty() ? fmt::format("{}-{}", type_word(request.type()), to_hex(random_bytes(4)))
                                        : request.name());
  token.set_type(request.type());
  token.set_expires_wall_s(now + (request.ttl_s() == 0 ? issuer_->lifetimes().token.count() : request.ttl_s()));
  token.set_uses_left(request.uses());
  token.set_unlimited(request.uses() == 0);
  *token.mutable_labels() = request.labels();
  token.set_created_by(caller.text());
  const std::string secret = make_secret();
  AuditEvent event = event_by(
      caller, "token.create", true,
      fmt::format("{} made token \"{}\" for joining as a {}", caller.text(), token.name(), type_word(token.type())),
      {{"token", token.name()},
       {"type", type_word(token.type())},
       {"expires", format_utc(token.expires_wall_s())},
       {"uses", token.unlimited() ? "unlimited" : std::to_string(token.uses_left())}});
  const Events events = at(clock_->wall_ns(), std::move(event));
  if (Result<void> added = store_->add_token(token, to_hex(sha256(secret)), now, events); !added) return fail(added);
  v1::Response response;
  *response.mutable_create_token()->mutable_token() = std::move(token);
  response.mutable_create_token()->set_secret(secret);
  response.mutable_create_token()->set_ca_pin(issuer_->authorities().ca_pin());
  return response;
}

Service::Answer Service::list_tokens(const Subject& caller) {
  if (Result<void> allowed = require_verb(caller, "tokens"); !allowed) return fail(allowed);
  const Result<std::vector<v1::Token>> tokens = store_->list_tokens(clock_->wall_s());
  if (!tokens) return fail(tokens);
  v1::Response response;
  response.mutable_list_tokens()->mutable_tokens()->Add(tokens->begin(), tokens->end());
  return response;
}

Service::Answer Service::delete_token(const Subject& caller, const v1::DeleteTokenRequest& request) {
  if (Result<void> allowed = require_verb(caller, "tokens"); !allowed) return fail(allowed);
  if (Result<void> good = check_name("token", request.name()); !good) return fail(good);
  AuditEvent event =
      event_by(caller, "token.delete", true, fmt::format("{} revoked token \"{}\"", caller.text(), request.name()),
               {{"token", request.name()}});
  const Events events = at(clock_->wall_ns(), std::move(event));
  if (Result<void> deleted = store_->delete_token(request.name(), events); !deleted) return fail(deleted);
  return done();
}

}  // namespace cairn::auth
