#pragma once

#include <chrono>
#include <functional>

#include "base/async.h"
#include "base/log.h"
#include "proto/auth.pb.h"

namespace cairn::agent {

// Tells auth how this node is: when something has changed, and now and then. That it is there at all the proxies say,
// which hold its control connections; so an idle node keeps no connection to auth.
class Heartbeat {
 public:
  using Describe = std::function<auth::v1::HeartbeatRequest()>;
  // Asks auth over a connection of its own.
  using Ask =
      std::function<awaitable<Result<auth::v1::Response>>(auth::v1::Request request, std::chrono::milliseconds limit)>;
  static constexpr std::chrono::milliseconds kInterval{600'000};

  Heartbeat(Ask ask, Describe describe, std::chrono::milliseconds interval, Log log);

  // One now; tried twice, since another proxy may lead to auth. Within 8 s. Failures are logged when they begin.
  awaitable<void> beat();
  // One after every interval (a random share of it, between half and the whole, so that hosts that started together do
  // not come together) or, after one that was missed, of 30 s; until cancelled.
  awaitable<void> run();
  bool is_heard() const { return !is_missed_; }  // auth took the last one

 private:
  awaitable<Result<auth::v1::Response>> tell();

  Ask ask_;
  Describe describe_;
  Backoff interval_;
  Backoff retry_;
  Log log_;
  bool is_missed_ = false;
};

}  // namespace cairn::agent
