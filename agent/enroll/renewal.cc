#include "agent/enroll/renewal.h"

#include <utility>

namespace cairn::agent {
namespace {

constexpr std::chrono::seconds kAnswerLimit{30};

}  // namespace

Renewal::Renewal(NodeIdentity* identity, AskAuth ask, const Clock* clock, RenewalTimes times, Log log)
    : identity_(identity), ask_(std::move(ask)), clock_(clock), times_(times), log_(std::move(log)) {}

awaitable<Result<void>> Renewal::run() {
  Backoff backoff(times_.first_retry, times_.last_retry);
  for (;;) {
    if (clock_->wall_s() >= identity_->current()->not_after_s)
      co_return fail(Errc::kExpired, expired_sentence(*identity_->current()));
    if (clock_->wall_s() < identity_->current()->renewal_due_s()) {
      co_await sleep_for(times_.look);
      continue;
    }
    const Result<void> renewed = co_await renew();
    if (renewed) {
      backoff.reset();
      log_.info("certificate.renewed", kv("valid_until", format_utc(identity_->current()->not_after_s)));
      co_await sleep_for(times_.look);  // even when the new one is past its half already: the clocks may differ
      continue;
    }
    co_await end_if_cancelled();
    const std::chrono::milliseconds wait = backoff.next();
    log_.warn("certificate.renewal_failed", kv("valid_until", format_utc(identity_->current()->not_after_s)),
              kv("retry_ms", wait.count()), kv_error(renewed.error()));
    co_await sleep_for(wait);
  }
}

awaitable<Result<void>> Renewal::renew() {
  const Result<tunnel::KeyPair> key = tunnel::generate_tls_key();
  if (!key) co_return fail(key);
  auth::v1::Request request;
  request.mutable_renew()->set_tls_public_key(key->public_der);
  const Result<auth::v1::Response> response = co_await ask_(std::move(request), kAnswerLimit);
  if (!response) co_return fail(response);
  if (!response->has_renew()) co_return fail(Errc::kInternal, "auth gave an answer of another kind to the renewal");

  Result<tunnel::Identity> identity =
      tunnel::make_identity(key->private_pem, response->renew().certificate(), response->renew().authorities());
  if (!identity) co_return fail(identity, "the identity that auth issued");
  if (identity->self.id != identity_->current()->self.id || identity->not_after_s <= clock_->wall_s())
    co_return fail(Errc::kInvalid, "auth issued the certificate of another node, or one that has expired");
  co_return identity_->replace(std::move(*identity));
}

}  // namespace cairn::agent
