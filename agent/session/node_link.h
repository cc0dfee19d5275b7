#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "base/async.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/auth.pb.h"
#include "tunnel/auth_client.h"
#include "tunnel/connect.h"
#include "tunnel/identity.h"
#include "tunnel/pump.h"
#include "tunnel/stream.h"

namespace cairn::agent {

// A worker's connections, for a caller that blocks: the dial-back, whose bytes the caller's own thread moves to and
// from a local socket, and one to auth on a thread of the link's, both through the proxy. Functions are called from one
// thread.
class NodeLink {
 public:
  NodeLink(tunnel::Address proxy, std::shared_ptr<const tunnel::Identity> me);
  NodeLink(const NodeLink&) = delete;
  NodeLink& operator=(const NodeLink&) = delete;
  ~NodeLink();  // cuts what is still connected

  // Dials back, once, beginning the connection to auth at the same time. Returns a socket on which the client's bytes
  // appear, non-blocking at this link's end, for as long as client() is served.
  //   dial_id, lease  of the proxy's Dial
  Result<UniqueFd> dial_back(std::string dial_id, std::chrono::milliseconds lease);

  // Carries between the client and that socket. After dial_back().
  tunnel::Pump& client() { return *client_; }

  // Asks auth, 10 s at most: over the connection that dial_back() began while it is fresh, else over one of its own.
  Result<auth::v1::AuthorizeSessionResponse> authorize(auth::v1::AuthorizeSessionRequest request);
  // Enters an event into the cluster's audit log, likewise.
  Result<void> append_audit(audit::v1::AuditEvent event);

  // `on_end` is called from the link's thread at SIGTERM and SIGINT. Once.
  void watch_signals(std::function<void()> on_end);

 private:
  awaitable<Result<std::unique_ptr<tunnel::Pump>>> dial(std::string dial_id, Deadline deadline);
  static awaitable<Result<void>> join(tunnel::Connection* client, std::string dial_id);
  awaitable<void> prepare_auth();
  awaitable<Result<std::unique_ptr<tunnel::AuthClient>>> reach_auth(Deadline deadline);
  Result<auth::v1::Response> ask_auth(auth::v1::Request request);
  awaitable<Result<auth::v1::Response>> ask(auth::v1::Request request, Deadline deadline);

  tunnel::Address proxy_;
  std::shared_ptr<const tunnel::Identity> me_;
  asio::io_context loop_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(loop_);
  asio::signal_set signals_{loop_};
  UniqueFd local_;
  std::unique_ptr<tunnel::Pump> client_;
  std::unique_ptr<tunnel::AuthClient> auth_;  // made ahead, for the first question
  Deadline auth_fresh_until_;
  Doorbell auth_settled_{loop_.get_executor()};
  bool is_auth_begun_ = false;  // and not settled yet
  std::thread thread_;
};

}  // namespace cairn::agent
