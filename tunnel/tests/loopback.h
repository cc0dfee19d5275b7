#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include "base/async.h"
#include "tests/support/run_in_loop.h"
#include "tests/support/test_ca.h"
#include "tunnel/connect.h"
#include "tunnel/server.h"

namespace cairn::tunnel {

constexpr std::chrono::seconds kPatience{20};  // for what should take milliseconds
inline Deadline soon() { return after(kPatience); }

// A server on loopback that accepts one connection as auth and the proxy do.
class LoopbackServer {
 public:
  LoopbackServer(asio::io_context& loop, std::shared_ptr<const Identity> me, const std::vector<Alpn>& alpns)
      : listener_(Listener::open(loop.get_executor(), {.host = "127.0.0.1", .port = 0}).value()),
        tls_(make_server_tls(std::move(me), alpns).value()) {}

  Address address() const { return parse_address(listener_.address(), 0).value(); }

  awaitable<Result<std::unique_ptr<Connection>>> accept() {
    Result<Socket> socket = co_await listener_.accept();
    if (!socket) co_return fail(socket);
    Arrival arrival(std::move(*socket));
    const Result<Alpn> alpn = co_await arrival.greet(soon());
    if (!alpn) co_return fail(alpn);
    Result<std::unique_ptr<Connection>> connection = co_await arrival.secure(tls_, soon());
    co_return connection;
  }

 private:
  Listener listener_;
  std::shared_ptr<const ServerTls> tls_;
};

// Both ends of a connection, or why there is none.
struct Pair {
  Result<std::unique_ptr<Connection>> client;
  Result<std::unique_ptr<Connection>> server;
};

inline awaitable<Pair> join(LoopbackServer* server, std::shared_ptr<const Identity> client, Alpn alpn, Role expected) {
  using namespace asio::experimental::awaitable_operators;
  auto accepting = server->accept();
  auto connecting = connect(server->address(), std::move(client), alpn, expected, soon());
  auto [accepted, connected] = co_await (std::move(accepting) && std::move(connecting));
  co_return Pair{.client = std::move(connected), .server = std::move(accepted)};
}

inline awaitable<Result<std::string>> read_up_to(Connection* connection, size_t bytes) {
  std::string whole;
  while (whole.size() < bytes) {
    std::string block(4096, '\0');
    const Result<size_t> got = co_await connection->read_some(asio::buffer(block));
    if (!got) co_return fail(got);
    if (*got == 0) break;
    whole.append(block, 0, *got);
  }
  co_return whole;
}

}  // namespace cairn::tunnel
