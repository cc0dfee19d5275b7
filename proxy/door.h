#pragma once

#include <memory>
#include <string>

#include "base/async.h"
#include "base/log.h"
#include "proto/tunnel.pb.h"
#include "proxy/agent_registry.h"
#include "proxy/dial_board.h"
#include "proxy/http_front.h"
#include "proxy/metrics.h"
#include "proxy/rate_limit.h"
#include "tunnel/server.h"

namespace cairn::proxy {

struct DoorOptions {
  tunnel::Address auth;
  std::chrono::milliseconds dial_lease{10'000};
  std::chrono::milliseconds handshake_limit{10'000};  // from accept to the first frame
  size_t handshakes_limit = 512;                      // at once; more are closed at accept
};

// Accepts on the one port and routes by ALPN: relays what is for auth unread, ends the others here. Shared by the
// coroutines that it spawns, one per connection, and whoever starts it. One thread.
class Door : public std::enable_shared_from_this<Door> {
 public:
  Door(tunnel::Listener listener, std::shared_ptr<const tunnel::Identity> me, DoorOptions options, Log log);

  // New handshakes are made as `me` from here on. Fails when the identity cannot serve.
  Result<void> present(std::shared_ptr<const tunnel::Identity> me);
  // Until the listener is closed.
  awaitable<void> serve();
  std::string address() const { return listener_.address(); }

 private:
  awaitable<void> receive(std::shared_ptr<Door> alive, tunnel::Socket socket);
  awaitable<std::unique_ptr<tunnel::Connection>> admit(tunnel::Arrival* arrival, Deadline deadline);
  awaitable<void> route(std::unique_ptr<tunnel::Connection> connection);
  awaitable<void> relay_to_auth(std::unique_ptr<tunnel::Connection> client, std::string hello);
  awaitable<void> serve_agent(std::unique_ptr<tunnel::Connection> connection);
  awaitable<void> accept_dial_back(std::unique_ptr<tunnel::Connection> connection);
  awaitable<void> serve_client(std::unique_ptr<tunnel::Connection> client);
  awaitable<Result<DialBoard::Joined>> reach(std::string node, std::string client_address,
                                             tunnel::v1::SshResponse* refusal);
  awaitable<void> join(tunnel::Connection* left, tunnel::Connection* right);
  void refused(std::string_view reason, const Error& error, const std::string& from);

  tunnel::Listener listener_;
  std::shared_ptr<const tunnel::ServerTls> tls_;
  DoorOptions options_;
  Log log_;
  Metrics metrics_;
  HttpFront http_;
  AgentRegistry agents_;
  DialBoard dials_;
  size_t handshakes_ = 0;
  RateLimit complaints_{10, std::chrono::seconds(10)};
};

}  // namespace cairn::proxy
