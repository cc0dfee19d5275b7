#include "proxy/membership.h"

#include <algorithm>

#include <fmt/format.h>

namespace cairn::proxy {
namespace {

bool is_passing(const Error& error) {
  return error.code == Errc::kUnavailable || error.code == Errc::kTimeout || error.code == Errc::kClosed;
}

}  // namespace

awaitable<Result<void>> Membership::begin() {
  Result<tunnel::Identity> stored = tunnel::load_identity(options_->data_dir);
  if (stored && clock_->wall_s() < stored->not_after_s) {
    identity_ = std::make_shared<const tunnel::Identity>(std::move(*stored));
    co_return Result<void>();
  }
  if (stored && options_->token.empty())
    co_return fail(Errc::kExpired, fmt::format("the certificate in {} expired at {}; start once with --token and "
                                               "--ca-pin (\"cairn tokens add --type=proxy\")",
                                               options_->data_dir.string(), format_utc(stored->not_after_s)));
  if (!stored && stored.error().code != std::errc::no_such_file_or_directory) co_return fail(stored);
  if (options_->token.empty())
    co_return fail(Errc::kInvalid,
                   "this proxy has not joined yet: give --token and --ca-pin, as printed by \"cairn "
                   "tokens add --type=proxy\"");
  if (options_->ca_pin.empty() && !options_->is_pin_waived)
    co_return fail(Errc::kInvalid,
                   "joining needs --ca-pin, as printed by \"cairn tokens add\": without it anybody "
                   "could answer as auth (--insecure-no-ca-pin joins all the same)");
  if (options_->ca_pin.empty()) log_->warn("join.unpinned", kv("auth", tunnel::address_text(options_->auth)));
  Backoff backoff(times_.first_retry, times_.last_retry);
  for (;;) {
    Result<void> joined = co_await join();
    if (joined || !is_passing(joined.error())) co_return joined;
    const std::chrono::milliseconds wait = backoff.next();
    log_->warn("join.retried", kv_error(joined.error()), kv("wait_ms", wait.count()));
    co_await sleep_for(wait);
  }
}

awaitable<Result<void>> Membership::join() {
  Result<tunnel::KeyPair> key = tunnel::generate_tls_key();
  if (!key) co_return fail(key);
  enroll::v1::EnrollRequest request;
  enroll::v1::JoinRequest* join = request.mutable_join();
  join->set_token(options_->token);
  join->set_name(options_->name);
  join->set_tls_public_key(key->public_der);
  join->set_version(CAIRN_VERSION);
  auto asking = tunnel::enroll(options_->auth, options_->ca_pin, std::move(request), after(times_.answer_limit));
  Result<enroll::v1::EnrollResponse> response = co_await std::move(asking);
  if (!response) co_return fail(response, "join");
  if (!response->has_join()) co_return fail(Errc::kInvalid, "join: auth answered something else");
  Result<tunnel::Identity> identity =
      tunnel::make_identity(key->private_pem, response->join().certificate(), response->join().authorities());
  if (!identity) co_return fail(identity, "join");
  if (identity->self.role != tunnel::Role::kProxy)
    co_return fail(Errc::kDenied, fmt::format("join: the token is for a {}, not for a proxy; ask for one with \"cairn "
                                              "tokens add --type=proxy\"",
                                              tunnel::role_name(identity->self.role)));
  if (Result<void> stored = tunnel::store_identity(options_->data_dir, *identity); !stored) co_return fail(stored);
  log_->info("join.done", kv("id", identity->self.id), kv("cluster", identity->self.cluster));
  identity_ = std::make_shared<const tunnel::Identity>(std::move(*identity));
  co_return Result<void>();
}

awaitable<Result<std::unique_ptr<tunnel::AuthClient>>> Membership::connect_to_auth() {
  auto connecting = tunnel::AuthClient::connect(options_->auth, identity_, after(times_.answer_limit));
  co_return co_await std::move(connecting);
}

awaitable<Result<tunnel::Identity>> Membership::renew() {
  Result<std::unique_ptr<tunnel::AuthClient>> client = co_await connect_to_auth();
  if (!client) co_return fail(client);
  Result<tunnel::KeyPair> key = tunnel::generate_tls_key();
  if (!key) co_return fail(key);
  auth::v1::Request request;
  request.mutable_renew()->set_tls_public_key(key->public_der);
  auto calling = (*client)->call(std::move(request), after(times_.answer_limit));
  Result<auth::v1::Response> response = co_await std::move(calling);
  if (!response) co_return fail(response);
  if (!response->has_renew()) co_return fail(Errc::kInvalid, "auth gave an answer of another kind to the renewal");
  Result<tunnel::Identity> identity =
      tunnel::make_identity(key->private_pem, response->renew().certificate(), response->renew().authorities());
  if (!identity) co_return fail(identity);
  if (identity->self.id != identity_->self.id || identity->not_after_s <= clock_->wall_s())
    co_return fail(Errc::kInvalid, "auth issued the certificate of another proxy, or one that has expired");
  if (Result<void> stored = tunnel::store_identity(options_->data_dir, *identity); !stored) co_return fail(stored);
  co_return std::move(*identity);
}

awaitable<void> Membership::keep_valid(std::function<void(std::shared_ptr<const tunnel::Identity>)> changed) {
  for (;;) {
    co_await sleep_for(times_.look);
    if (clock_->wall_s() < identity_->renewal_due_s()) continue;
    Result<tunnel::Identity> renewed = co_await renew();
    if (!renewed) {
      log_->warn("certificate.renewal_failed", kv_error(renewed.error()),
                 kv("expires", format_utc(identity_->not_after_s)));
      continue;
    }
    identity_ = std::make_shared<const tunnel::Identity>(std::move(*renewed));
    log_->info("certificate.renewed", kv("expires", format_utc(identity_->not_after_s)));
    changed(identity_);
  }
}

}  // namespace cairn::proxy
