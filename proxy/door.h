#pragma once

#include <memory>
#include <string>

#include "base/async.h"
#include "base/log.h"
#include "proto/tunnel.pb.h"
#include "proxy/admission.h"
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
  // From accept to the end of the handshake; again to the first frame.
  std::chrono::milliseconds handshake_limit{10'000};
  // Beyond that of all, further ones wait, and are closed unread while none ends; beyond that of one address, closed.
  Admission::Limits handshakes{};
  std::string balancers{};  // networks whose connections begin with a PROXY header (tunnel/networks.h); empty: none
};

// Accepts on the one port and routes by ALPN: relays what is for auth unread, ends the others here. Shared by the
// coroutines that it spawns, one per connection, and whoever starts it. One thread.
class Door : public std::enable_shared_from_this<Door> {
 public:
  Door(tunnel::Listener listener, std::shared_ptr<const tunnel::Identity> me, DoorOptions options, Log log);

  // New handshakes are made as `me` from here on. Fails when the identity cannot serve.
  Result<void> present(std::shared_ptr<const tunnel::Identity> me);
  // Until the door is shut by drain().
  awaitable<void> serve();
  // From here on as these say; `auth` too. What is under way goes on as it began.
  void reconfigure(DoorOptions options);
  // Takes no new work: clients and agents are turned away, and page /readyz says so, while clients that were told to
  // wait still get their node; then agents are sent elsewhere and the port is given back. Returns when the last session
  // has ended, or at `limit`: how many are left then.
  awaitable<size_t> drain(std::chrono::milliseconds limit);
  std::string address() const { return listener_.address(); }
  AgentRegistry& agents() { return agents_; }

 private:
  class Session;
  class Stranger;

  awaitable<void> await_place();
  awaitable<void> receive(std::shared_ptr<Door> alive, tunnel::Socket socket);
  awaitable<Result<void>> identify(tunnel::Arrival* arrival, Admission::Place* place, Deadline deadline);
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
  void crowded(std::string_view reason, const std::string& sentence);

  tunnel::Listener listener_;
  std::shared_ptr<const tunnel::ServerTls> tls_;
  DoorOptions options_;
  Log log_;
  Metrics metrics_;
  HttpFront http_;
  AgentRegistry agents_;
  DialBoard dials_;
  Admission admission_;
  size_t sessions_ = 0;  // clients joined to a node, or on their way there
  bool is_draining_ = false;
  std::unique_ptr<Doorbell> changed_;         // a dial or a session has ended; drain() waits for it
  std::unique_ptr<Doorbell> place_returned_;  // serve() waits for it
  uint64_t places_returned_ = 0;
  uint64_t stood_still_at_ = UINT64_MAX;  // so many places had been returned when no more were for kStandstill
  RateLimit complaints_{10, std::chrono::seconds(10)};
  RateLimit crowds_{1, std::chrono::seconds(10)};
};

}  // namespace cairn::proxy
