#pragma once

#include <chrono>
#include <functional>

#include "agent/upload/auth_caller.h"
#include "base/async.h"
#include "base/log.h"
#include "proto/auth.pb.h"

namespace cairn::agent {

// Tells auth at a fixed pace that this node lives and how it is. Auth holds it for offline after three missed ones.
class Heartbeat {
 public:
  using Describe = std::function<auth::v1::HeartbeatRequest()>;
  static constexpr std::chrono::milliseconds kInterval{20'000};

  // `auth` outlives it and serves nobody else.
  Heartbeat(AuthCaller* auth, Describe describe, std::chrono::milliseconds interval, Log log);

  // One now. Failures are logged when they begin.
  awaitable<void> beat();
  // One after every interval, until cancelled.
  awaitable<void> run();
  bool is_heard() const { return !is_missed_; }  // auth took the last one

 private:
  awaitable<Result<auth::v1::Response>> tell();

  AuthCaller* auth_;
  Describe describe_;
  std::chrono::milliseconds interval_;
  Log log_;
  bool is_missed_ = false;
};

}  // namespace cairn::agent
