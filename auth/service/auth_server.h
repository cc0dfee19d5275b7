#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "auth/recordings/growth_watch.h"
#include "auth/service/admin_socket.h"
#include "auth/service/enrolment.h"
#include "auth/service/issuer.h"
#include "auth/service/open_connections.h"
#include "auth/service/retention.h"
#include "auth/service/service.h"
#include "base/async.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "base/work_pool.h"
#include "tunnel/connect.h"
#include "tunnel/server.h"

namespace cairn::auth {

// What the server works with. All of it but the pools outlives the event loop; the pools outlive the server.
struct ServerParts {
  Service* service;
  Enrolment* enrolment;
  const Issuer* issuer;
  Retention* retention;
  GrowthWatch* growth;
  OpenConnections* connections;
  WorkPool* disk;       // SQL and fsync
  WorkPool* passwords;  // bcrypt, apart, so that logins cannot hold up recordings
  WorkPool* searches;   // in recordings, likewise
  const Clock* clock;
};

// Brings requests from the network and from the admin socket to the service, and the answers back. Thread: the event
// loop's, one.
class AuthServer {
 public:
  AuthServer(asio::any_io_executor executor, ServerParts parts, Log log);

  //   fails  address in use, not permitted; the sentence names it
  Result<void> listen(const tunnel::Address& address);
  Result<void> listen_admin(const std::filesystem::path& socket);
  std::string address() const { return listener_->address(); }

  // Serves, once both listen, until stop().
  void start();
  // Takes no more connections and closes those there are; their coroutines then end.
  void stop();

 private:
  Result<void> renew_identity();
  awaitable<void> keep_identity();
  awaitable<void> keep_recordings();
  awaitable<void> accept_network();
  awaitable<void> accept_admin();
  awaitable<void> serve(tunnel::Socket socket);
  awaitable<void> serve_enrolment(std::unique_ptr<tunnel::Connection> connection);
  awaitable<void> converse(std::unique_ptr<tunnel::Connection> connection, Subject caller);
  awaitable<Result<void>> send(tunnel::Connection* connection, std::string body);
  awaitable<enroll::v1::EnrollResponse> enroll(enroll::v1::EnrollRequest request);
  // What these point to lives in the awaiting coroutine.
  awaitable<v1::Response> respond(const Subject* caller, const v1::Request* request, Conversation* conversation);
  awaitable<v1::Response> follow(const Subject* caller, const v1::Request* request, Conversation* conversation);
  awaitable<v1::Response> ask(const Subject* caller, const v1::Request* request, Conversation* conversation);

  asio::any_io_executor executor_;
  ServerParts parts_;
  Log log_;
  std::unique_ptr<tunnel::Listener> listener_;  // both there once it listens
  std::unique_ptr<AdminSocket> admin_;
  std::shared_ptr<const tunnel::ServerTls> tls_;  // handshakes under way keep the one they began with
  int64_t renew_at_wall_s_ = 0;
  size_t logins_waiting_ = 0;
  bool is_stopped_ = false;
};

}  // namespace cairn::auth
