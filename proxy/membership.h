#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "base/async.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "proxy/proxy_options.h"
#include "tunnel/auth_client.h"
#include "tunnel/identity.h"

namespace cairn::proxy {

struct MembershipTimes {
  std::chrono::milliseconds answer_limit{15'000};
  std::chrono::milliseconds first_retry{500};
  std::chrono::milliseconds last_retry{30'000};
  std::chrono::milliseconds look{60'000};  // between two looks at the wall clock, which may step
};

// This proxy's place in its cluster: the identity that it stored, or got by joining with a token, and keeps valid.
class Membership {
 public:
  // Borrows all for its life.
  Membership(const ProxyOptions* options, const Clock* clock, const Log* log, MembershipTimes times = {})
      : options_(options), clock_(clock), log_(log), times_(times) {}

  // Loads the stored identity, or joins; network problems are retried for ever, with backoff. Fails when a person must
  // act: no token, a refused token, another CA than the pin, an expired certificate and no token for a new one.
  awaitable<Result<void>> begin();
  // Renews the certificate at half of its validity, for ever; each new identity is handed to `changed`.
  awaitable<void> keep_valid(std::function<void(std::shared_ptr<const tunnel::Identity>)> changed);

  const std::shared_ptr<const tunnel::Identity>& identity() const { return identity_; }
  // A conversation with auth, as this proxy.
  awaitable<Result<std::unique_ptr<tunnel::AuthClient>>> connect_to_auth();

 private:
  awaitable<Result<void>> join();
  awaitable<Result<tunnel::Identity>> renew();

  const ProxyOptions* options_;
  const Clock* clock_;
  const Log* log_;
  MembershipTimes times_;
  std::shared_ptr<const tunnel::Identity> identity_;
};

}  // namespace cairn::proxy
