#pragma once

#include <chrono>
#include <functional>

#include "agent/enroll/node_identity.h"
#include "base/async.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "proto/auth.pb.h"

namespace cairn::agent {

struct RenewalTimes {
  std::chrono::milliseconds look{60'000};  // between two looks at the wall clock, which may step
  std::chrono::milliseconds first_retry{5'000};
  std::chrono::milliseconds last_retry{300'000};
};

// Keeps the node's certificate valid: from half of its validity on asks auth for the next one, with a fresh key.
// Connections made afterwards present it; those that stand are not touched.
class Renewal {
 public:
  using AskAuth =
      std::function<awaitable<Result<auth::v1::Response>>(auth::v1::Request, std::chrono::milliseconds limit)>;

  // `identity` and `clock` outlive it.
  Renewal(NodeIdentity* identity, AskAuth ask, const Clock* clock, RenewalTimes times, Log log);

  // Until it is cancelled, or returns Errc::kExpired: the certificate ended before auth could be asked for a new one;
  // this node must join again.
  awaitable<Result<void>> run();

 private:
  awaitable<Result<void>> renew();

  NodeIdentity* identity_;
  AskAuth ask_;
  const Clock* clock_;
  RenewalTimes times_;
  Log log_;
};

}  // namespace cairn::agent
