#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include "base/async.h"
#include "proto/auth.pb.h"
#include "proto/enroll.pb.h"
#include "proto/tunnel.pb.h"
#include "proxy/door.h"
#include "tests/support/run_in_loop.h"
#include "tests/support/test_ca.h"
#include "tunnel/connect.h"
#include "tunnel/server.h"

namespace cairn::proxy {

constexpr std::chrono::seconds kPatience{20};  // for what should take milliseconds
inline Deadline soon() { return after(kPatience); }

// Auth as the proxy sees it: a TCP port behind which somebody speaks TLS. Answers every request of cairn-auth/1 with
// who asked, and every join with what the test says.
class FakeAuth {
 public:
  using OnRequest = std::function<auth::v1::Response(const tunnel::Peer&, const auth::v1::Request&)>;
  using OnEnroll = std::function<enroll::v1::EnrollResponse(const enroll::v1::EnrollRequest&)>;

  FakeAuth(asio::any_io_executor executor, std::shared_ptr<const tunnel::Identity> me)
      : listener_(tunnel::Listener::open(executor, {.host = "127.0.0.1", .port = 0}).value()),
        tls_(tunnel::make_server_tls(std::move(me), {tunnel::Alpn::kAuth, tunnel::Alpn::kEnroll}).value()) {}

  tunnel::Address address() const { return tunnel::parse_address(listener_.address(), 0).value(); }

  // Each connection is answered `answers` times.
  awaitable<void> serve() {
    for (;;) {
      Result<tunnel::Socket> socket = co_await listener_.accept();
      if (!socket) co_return;
      if (++connections <= hang_ups) continue;
      auto executor = co_await asio::this_coro::executor;
      asio::co_spawn(executor, receive(std::move(*socket)), or_die());
    }
  }
  void close() { listener_.close(); }

  OnRequest on_request = [](const tunnel::Peer& peer, const auth::v1::Request&) {
    auth::v1::Response response;
    response.mutable_status()->set_identity(tunnel::describe(peer));
    return response;
  };
  OnEnroll on_enroll = [](const enroll::v1::EnrollRequest&) {
    enroll::v1::EnrollResponse response;
    response.mutable_error()->set_message("unknown token");
    return response;
  };
  std::function<void()> on_end = [] {};  // of a conversation
  int connections = 0;
  int hang_ups = 0;  // so many connections are closed at once: auth restarts
  int answers = 1;   // of each conversation

 private:
  awaitable<void> receive(tunnel::Socket socket) {
    tunnel::Arrival arrival(std::move(socket));
    if (!co_await arrival.greet(soon())) co_return;
    Result<std::unique_ptr<tunnel::Connection>> client = co_await arrival.secure(tls_, soon());
    if (client) co_await answer(client->get());
    if (client && (*client)->alpn() == tunnel::Alpn::kAuth) on_end();
  }
  awaitable<void> answer(tunnel::Connection* client) {
    if (client->alpn() == tunnel::Alpn::kAuth) {
      for (int answered = 0; answered < answers; ++answered) {
        const auto request = co_await client->read<auth::v1::Request>(tunnel::kMaxAuthFrameBytes);
        if (!request || !*request) co_return;
        static_cast<void>(co_await client->write(on_request(client->peer(), **request)));
      }
    } else {
      const auto request = co_await client->read<enroll::v1::EnrollRequest>(tunnel::kMaxControlFrameBytes);
      if (!request || !*request) co_return;
      static_cast<void>(co_await client->write(on_enroll(**request)));
    }
    co_await client->close_gracefully();
  }

  tunnel::Listener listener_;
  std::shared_ptr<const tunnel::ServerTls> tls_;
};

// A proxy between people, nodes and a fake auth, all on one event loop.
class ClusterOnLoopback : public testing::Test {
 protected:
  explicit ClusterOnLoopback(DoorOptions options = {}) : auth_(loop_.get_executor(), ca_.auth()) {
    options.auth = auth_.address();
    auto listener = tunnel::Listener::open(loop_.get_executor(), {.host = "127.0.0.1", .port = 0});
    const auto me = ca_.proxy();
    door_ = std::make_shared<Door>(std::move(*listener), me, options, Log("cairn-proxy", LogLevel::kError));
    EXPECT_TRUE(door_->present(me).has_value());
    asio::co_spawn(loop_, door_->serve(), or_die());
    asio::co_spawn(loop_, auth_.serve(), or_die());
  }

  template <class T> T run(awaitable<T> work) { return testing_support::run_in_loop(loop_, std::move(work)); }

  tunnel::Address address() const { return tunnel::parse_address(door_->address(), 0).value(); }

  awaitable<Result<std::unique_ptr<tunnel::Connection>>> connect(std::shared_ptr<const tunnel::Identity> me,
                                                                 tunnel::Alpn alpn) {
    co_return co_await tunnel::connect(address(), std::move(me), alpn, tunnel::Role::kProxy, soon());
  }

  // A node's control connection, greeted.
  std::unique_ptr<tunnel::Connection> connect_node(std::shared_ptr<const tunnel::Identity> node) {
    auto connection = run(connect(std::move(node), tunnel::Alpn::kTunnel));
    EXPECT_TRUE(connection.has_value()) << connection.error().message;
    tunnel::v1::FromAgent hello;
    hello.mutable_hello()->set_version("test");
    EXPECT_TRUE(run((*connection)->write(hello)).has_value());
    const auto welcome = run((*connection)->read<tunnel::v1::FromProxy>(tunnel::kMaxControlFrameBytes));
    EXPECT_TRUE(welcome.has_value() && *welcome && (*welcome)->has_welcome());
    return std::move(*connection);
  }

  // A client that has asked for `node`; the answer is still to be read.
  std::unique_ptr<tunnel::Connection> ask_for(const std::string& node, const std::string& user = "alice") {
    auto connection = run(connect(ca_.user(user), tunnel::Alpn::kSsh));
    EXPECT_TRUE(connection.has_value()) << connection.error().message;
    tunnel::v1::SshRequest request;
    request.set_node(node);
    EXPECT_TRUE(run((*connection)->write(request)).has_value());
    return std::move(*connection);
  }

  tunnel::v1::SshResponse answer_to(tunnel::Connection& client) {
    const auto response = run(client.read<tunnel::v1::SshResponse>(tunnel::kMaxControlFrameBytes));
    EXPECT_TRUE(response.has_value() && *response) << (response ? "closed" : response.error().message);
    return response && *response ? **response : tunnel::v1::SshResponse();
  }

  // The next Dial that the proxy sends to a node; pings are passed over.
  tunnel::v1::Dial next_dial(tunnel::Connection& node) {
    for (;;) {
      const auto message = run(node.read<tunnel::v1::FromProxy>(tunnel::kMaxControlFrameBytes));
      if (!message || !*message) {
        ADD_FAILURE() << "the proxy closed the control connection";
        return {};
      }
      if ((*message)->has_dial()) return (*message)->dial();
    }
  }

  // A worker's dial-back, its first frame written.
  std::unique_ptr<tunnel::Connection> dial_back(std::shared_ptr<const tunnel::Identity> node,
                                                const std::string& dial_id) {
    auto connection = run(connect(std::move(node), tunnel::Alpn::kDial));
    EXPECT_TRUE(connection.has_value()) << connection.error().message;
    tunnel::v1::DialBack message;
    message.set_dial_id(dial_id);
    EXPECT_TRUE(run((*connection)->write(message)).has_value());
    return std::move(*connection);
  }

  // True when the proxy joined this dial-back to a client, false when it hung up.
  bool is_joined(tunnel::Connection& worker) {
    const auto joined = run(worker.read<tunnel::v1::DialJoined>(tunnel::kMaxControlFrameBytes));
    return joined.has_value() && joined->has_value();
  }

  // All bytes up to `bytes`, or to the end.
  std::string read(tunnel::Connection& from, size_t bytes) {
    std::string whole;
    while (whole.size() < bytes) {
      std::string block(bytes - whole.size(), '\0');
      const Result<size_t> got = run(from.read_some(asio::buffer(block)));
      if (!got || *got == 0) break;
      whole.append(block, 0, *got);
    }
    return whole;
  }
  void write(tunnel::Connection& to, const std::string& bytes) {
    EXPECT_TRUE(run(to.write_bytes(asio::buffer(bytes))).has_value());
  }

  // The page that http/1.1 serves at `request`'s target, head included.
  std::string ask_http(const std::string& request) {
    auto connection = run(http_connection());
    if (!connection) return connection.error().message;
    write(**connection, request);
    return read(**connection, 1 << 20);
  }
  std::string page(const std::string& target) {
    return ask_http("GET " + target + " HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\n\r\n");
  }

  // True as soon as the metrics hold `text`.
  bool comes_to_say(const std::string& text) {
    for (const Deadline end = soon(); std::chrono::steady_clock::now() < end;)
      if (page("/metrics").find(text) != std::string::npos) return true;
    return false;
  }

  testing_support::TestCa ca_;
  asio::io_context loop_;
  FakeAuth auth_;
  std::shared_ptr<Door> door_;

 private:
  awaitable<Result<std::unique_ptr<tunnel::Connection>>> http_connection() {
    auto bare = co_await tunnel::connect_bare(address(), soon());
    if (!bare) co_return fail(bare);
    tunnel::TlsStream stream((*bare)->release_socket(), tunnel::anonymous_client_context(tunnel::Alpn::kHttp).value(),
                             tunnel::TlsSide::kClient);
    const Result<void> shaken = co_await stream.handshake();
    if (!shaken) co_return fail(shaken);
    co_return std::make_unique<tunnel::Connection>(std::move(stream), tunnel::Peer(), tunnel::Alpn::kHttp);
  }
};

}  // namespace cairn::proxy
