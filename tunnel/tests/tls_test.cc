// Handshakes over loopback: who is let in, who is refused and with which sentence, and what frames may be.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/write.hpp>

#include "base/bytes.h"
#include "proto/tunnel.pb.h"
#include "tests/support/test_ca.h"
#include "tunnel/connect.h"
#include "tunnel/server.h"

namespace cairn::tunnel {
namespace {

using std::chrono::milliseconds;
using testing_support::TestCa;

constexpr milliseconds kLimit{20'000};

// A server that says its peer's id in a Pong-less Welcome, then echoes DialBack frames until the client closes.
class TlsServer {
 public:
  TlsServer(asio::io_context* io, std::shared_ptr<const Identity> me, std::vector<Alpn> alpns)
      : listener_(std::move(*Listener::open(io->get_executor(), {.host = "127.0.0.1", .port = 0}))),
        tls_(std::move(*make_server_tls(std::move(me), alpns))) {}

  Address address() const { return *parse_address(listener_.address(), 0); }

  awaitable<void> serve_one() {
    auto socket = co_await listener_.accept();
    if (!socket) co_return;
    Arrival arrival(std::move(*socket));
    Result<Alpn> alpn = co_await arrival.greet(after(kLimit));
    if (!alpn) co_return remember(alpn.error());
    Result<std::unique_ptr<Connection>> connection = co_await arrival.secure(tls_, after(kLimit));
    if (!connection) co_return remember(connection.error());
    tunnel::v1::Welcome welcome;
    welcome.set_version((*connection)->peer().id);
    if (Result<void> written = co_await (*connection)->write(welcome); !written) co_return remember(written.error());
    Result<std::optional<tunnel::v1::DialBack>> read =
        co_await (*connection)->read<tunnel::v1::DialBack>(kMaxControlFrameBytes);
    if (!read) remember(read.error());
    closed_between_frames = read && !*read;
    co_await (*connection)->close_gracefully();
  }

  Error error;
  bool closed_between_frames = false;

 private:
  void remember(const Error& why) { error = why; }

  Listener listener_;
  std::shared_ptr<const ServerTls> tls_;
};

// Connects, reads the Welcome, sends `raw` bytes as they are, closes. The error is the client's.
awaitable<Result<std::string>> visit(Address to, std::shared_ptr<const Identity> me, Alpn alpn, Role expected,
                                     std::string raw) {
  Result<std::unique_ptr<Connection>> connection = co_await connect(to, std::move(me), alpn, expected, after(kLimit));
  if (!connection) co_return fail(connection);
  auto reading = (*connection)->read<tunnel::v1::Welcome>(kMaxControlFrameBytes);
  Result<std::optional<tunnel::v1::Welcome>> read = co_await within(after(kLimit), std::move(reading));
  if (!read) co_return fail(read);
  const std::optional<tunnel::v1::Welcome>& welcome = *read;
  if (!welcome) co_return fail(Errc::kClosed, "closed");
  if (!raw.empty()) {
    if (Result<void> written = co_await (*connection)->write_bytes(asio::buffer(raw)); !written)
      co_return fail(written);
  }
  co_await (*connection)->close_gracefully();
  co_return welcome->version();
}

class Handshake : public testing::Test {
 protected:
  Result<std::string> meet(std::shared_ptr<const Identity> server_identity, std::shared_ptr<const Identity> client,
                           Alpn alpn, Role expected, std::string raw = {}) {
    server = std::make_unique<TlsServer>(&io, std::move(server_identity),
                                         std::vector<Alpn>{Alpn::kTunnel, Alpn::kSsh, Alpn::kAuth});
    std::optional<Result<std::string>> outcome;
    asio::co_spawn(io, server->serve_one(), or_die());
    asio::co_spawn(io, visit(server->address(), std::move(client), alpn, expected, std::move(raw)),
                   [&outcome](std::exception_ptr escaped, Result<std::string> result) {
                     or_die()(escaped);
                     outcome = std::move(result);
                   });
    io.run();
    io.restart();
    return std::move(*outcome);
  }
  std::shared_ptr<const Identity> proxy() const {
    return ca.identity({.role = Role::kProxy, .id = random_uuid(), .name = "proxy-1"});
  }

  TestCa ca{"ours"};
  asio::io_context io;
  std::unique_ptr<TlsServer> server;
};

TEST_F(Handshake, LetsANodeInUnderItsOwnId) {
  const std::string id = random_uuid();
  const Result<std::string> met = meet(proxy(), ca.identity({.id = id, .name = "web-1"}), Alpn::kTunnel, Role::kProxy);
  ASSERT_TRUE(met) << met.error().message;
  EXPECT_EQ(*met, id);
  EXPECT_TRUE(server->closed_between_frames);
}

TEST_F(Handshake, LetsAUserIn) {
  const Result<std::string> met =
      meet(proxy(), ca.identity({.role = Role::kUser, .id = "alice"}), Alpn::kSsh, Role::kProxy);
  ASSERT_TRUE(met) << met.error().message;
  EXPECT_EQ(*met, "alice");
}

TEST_F(Handshake, RefusesAnExpiredCertificateAndTellsBothSidesWhy) {
  const auto expired = ca.identity({.id = random_uuid(), .not_before_s = -7200, .not_after_s = -3600});
  const Result<std::string> met = meet(proxy(), expired, Alpn::kTunnel, Role::kProxy);
  ASSERT_FALSE(met);
  EXPECT_EQ(met.error().code, Errc::kUnauthenticated) << met.error().message;
  EXPECT_NE(met.error().message.find("refused our certificate: it has expired"), std::string::npos)
      << met.error().message;
  EXPECT_NE(server->error.message.find("expired"), std::string::npos) << server->error.message;
}

TEST_F(Handshake, RefusesACertificateFromTheFuture) {
  const auto future = ca.identity({.id = random_uuid(), .not_before_s = 3600, .not_after_s = 7200});
  EXPECT_FALSE(meet(proxy(), future, Alpn::kTunnel, Role::kProxy));
  EXPECT_NE(server->error.message.find("is not valid before"), std::string::npos) << server->error.message;
}

TEST_F(Handshake, RefusesAForeignAuthority) {
  const TestCa foreign("ours");
  const auto stranger = foreign.identity({.id = random_uuid()});
  // It believes our server, as an attacker would.
  Result<Identity> made = make_identity(stranger->private_pem, stranger->certificate_pem, ca.authorities());
  ASSERT_TRUE(made);
  EXPECT_FALSE(meet(proxy(), std::make_shared<const Identity>(*made), Alpn::kTunnel, Role::kProxy));
  EXPECT_EQ(server->error.code, Errc::kUnauthenticated) << server->error.message;
}

TEST_F(Handshake, RefusesAServerOfAForeignAuthority) {
  const TestCa foreign("ours");
  const Result<std::string> met = meet(foreign.identity({.role = Role::kProxy, .id = random_uuid()}),
                                       ca.identity({.id = random_uuid()}), Alpn::kTunnel, Role::kProxy);
  ASSERT_FALSE(met);
  EXPECT_EQ(met.error().code, Errc::kUnauthenticated) << met.error().message;
}

TEST_F(Handshake, RefusesAServerOfAnotherRole) {
  const Result<std::string> met = meet(proxy(), ca.identity({.id = random_uuid()}), Alpn::kAuth, Role::kAuth);
  ASSERT_FALSE(met);
  EXPECT_NE(met.error().message.find("presents the certificate of a proxy, which has no place on cairn-auth/1"),
            std::string::npos)
      << met.error().message;
}

TEST_F(Handshake, RefusesAUserCertificateThatTheHostAuthoritySigned) {
  EXPECT_FALSE(meet(proxy(), ca.identity({.role = Role::kUser, .id = "alice"}, true), Alpn::kSsh, Role::kProxy));
  EXPECT_NE(server->error.message.find("was signed by another authority than this cluster's for its role"),
            std::string::npos)
      << server->error.message;
}

TEST_F(Handshake, RefusesACertificateOfAnotherCluster) {
  const Result<std::string> met =
      meet(proxy(), ca.identity({.id = random_uuid(), .cluster = "theirs"}), Alpn::kTunnel, Role::kProxy);
  ASSERT_FALSE(met);
  EXPECT_NE(met.error().message.find("belongs to cluster \"ours\", we to \"theirs\""), std::string::npos)
      << met.error().message;
  EXPECT_EQ(server->error.code, Errc::kUnauthenticated) << server->error.message;
}

struct Raw {
  const char* name;
  std::string bytes;
  Errc code;
};
class BadFrame : public Handshake, public testing::WithParamInterface<Raw> {};
TEST_P(BadFrame, IsRefused) {
  std::ignore = meet(proxy(), ca.identity({.id = random_uuid()}), Alpn::kTunnel, Role::kProxy, GetParam().bytes);
  EXPECT_EQ(server->error.code, GetParam().code) << server->error.message;
}
INSTANTIATE_TEST_SUITE_P(Frames, BadFrame,
                         testing::Values(Raw{"too_long", std::string("\x7f\xff\xff\xff", 4), Errc::kTooLarge},
                                         Raw{"one_over_the_limit", std::string("\x00\x01\x00\x01", 4), Errc::kTooLarge},
                                         Raw{"cut_in_the_length", std::string("\x00\x00", 2), Errc::kTruncated},
                                         Raw{"cut_in_the_body",
                                             std::string("\x00\x00\x00\x09"
                                                         "abc",
                                                         7),
                                             Errc::kTruncated},
                                         Raw{"no_such_message", std::string("\x00\x00\x00\x02\xff\xff", 6),
                                             Errc::kInvalid}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace cairn::tunnel
