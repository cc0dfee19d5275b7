#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/async.h"
#include "base/log.h"
#include "base/result.h"
#include "proto/tunnel.pb.h"
#include "tunnel/connect.h"
#include "tunnel/identity.h"
#include "tunnel/stream.h"

namespace cairn::agent {

struct ControlTimes {
  std::chrono::milliseconds connect_limit{10'000};  // for the handshake, and again for Welcome
  std::chrono::milliseconds first_retry{1'000};
  std::chrono::milliseconds last_retry{30'000};
};

// The node's control connection (cairn-tunnel/1): held at all times, made again with jittered backoff, answered when
// the proxy pings and when it asks for a dial-back. Protocol: docs/protocol.md.
class ControlConnection {
 public:
  using WhoAmI = std::function<std::shared_ptr<const tunnel::Identity>()>;
  // Starts a worker for the client who waits; an error's sentence is what that client is told.
  using OnDial = std::function<awaitable<Result<void>>(tunnel::v1::Dial)>;
  using OnUp = std::function<void()>;

  ControlConnection(tunnel::Address proxy, WhoAmI who_am_i, OnDial on_dial, OnUp on_up, ControlTimes times, Log log);

  // Until it is cancelled.
  awaitable<void> run();

  bool is_up() const { return is_up_; }                          // greeted, and not lost since
  const std::string& last_error() const { return last_error_; }  // of the last attempt; empty when it is up

 private:
  // Until the connection is lost, and why.
  awaitable<Error> hold();
  awaitable<Result<void>> answer(tunnel::v1::FromProxy message);
  awaitable<Result<void>> answer_dial(tunnel::v1::Dial dial);
  awaitable<Result<tunnel::v1::FromProxy>> receive(std::chrono::milliseconds limit);
  awaitable<Result<void>> send(tunnel::v1::FromAgent message);

  tunnel::Address proxy_;
  WhoAmI who_am_i_;
  OnDial on_dial_;
  OnUp on_up_;
  ControlTimes times_;
  Log log_;
  Backoff backoff_;
  std::unique_ptr<tunnel::Connection> connection_;
  bool is_up_ = false;
  std::string last_error_;
};

}  // namespace cairn::agent
