// Each connection type ends where it belongs, and what is none ends at the door.
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "proxy/tests/cluster_on_loopback.h"
#include "tunnel/auth_client.h"

namespace cairn::proxy {
namespace {

using testing::HasSubstr;
using tunnel::Alpn;
using tunnel::Role;

class Routing : public ClusterOnLoopback {
 protected:
  // A TLS handshake that offers `protocols`, in ALPN's wire form.
  Result<void> shake_hands(const std::string& protocols) {
    auto work = [](tunnel::Address to, std::string wire) -> awaitable<Result<void>> {
      auto bare = co_await tunnel::connect_bare(to, soon());
      if (!bare) co_return fail(bare);
      tunnel::TlsStream stream((*bare)->release_socket(), tunnel::anonymous_client_context(Alpn::kHttp).value(),
                               tunnel::TlsSide::kClient);
      SSL_set_alpn_protos(stream.native_handle(), reinterpret_cast<const unsigned char*>(wire.data()),
                          static_cast<unsigned int>(wire.size()));
      co_return co_await stream.handshake();
    };
    return run(work(address(), protocols));
  }
  std::unique_ptr<tunnel::Connection> bare_connection() {
    return std::move(run(tunnel::connect_bare(address(), soon())).value());
  }
};

TEST_F(Routing, OfAuthEndsAtAuthWithTheClientsOwnCertificate) {
  auto client = run(tunnel::AuthClient::connect(address(), ca_.user("alice"), soon()));
  ASSERT_TRUE(client.has_value()) << client.error().message;
  auth::v1::Request request;
  request.mutable_status();
  const auto response = run((*client)->call(std::move(request), soon()));
  ASSERT_TRUE(response.has_value()) << response.error().message;
  EXPECT_EQ(response->status().identity(), "user alice");
}

TEST_F(Routing, OfEnrolmentEndsAtAuth) {
  enroll::v1::EnrollRequest request;
  request.mutable_join()->set_token("nonsense");
  const auto response = run(tunnel::enroll(address(), ca_.pin(), std::move(request), soon()));
  ASSERT_FALSE(response.has_value());
  EXPECT_EQ(response.error().message, "unknown token");
}

TEST_F(Routing, CannotPassTheProxyOffAsAuth) {
  // cairn-auth/1 reaches auth; whoever answered in its place would need auth's certificate.
  const auto connection = run(tunnel::connect(address(), ca_.user(), Alpn::kAuth, Role::kProxy, soon()));
  ASSERT_FALSE(connection.has_value());
  EXPECT_EQ(connection.error().code, Errc::kUnauthenticated);
}

TEST_F(Routing, OfTheControlConnectionIsGreetedByTheProxy) {
  const auto node = connect_node(ca_.node());
  EXPECT_EQ(node->peer().role, Role::kProxy);
}

TEST_F(Routing, OfSshIsAnsweredByTheProxy) {
  const auto client = ask_for("nowhere");
  EXPECT_EQ(answer_to(*client).outcome(), tunnel::v1::SshResponse::OUTCOME_NOT_CONNECTED);
}

TEST_F(Routing, OfADialBackThatNobodyAskedForIsClosed) {
  const auto worker = dial_back(ca_.node(), std::string(16, 'x'));
  EXPECT_FALSE(is_joined(*worker));
}

TEST_F(Routing, OfHttpNeedsNoCertificate) { EXPECT_THAT(page("/healthz"), HasSubstr("200 OK")); }

TEST_F(Routing, TakesTheFirstProtocolThatItKnows) {
  EXPECT_TRUE(shake_hands("\x02h2\x08http/1.1").has_value());  // as browsers offer it
}

TEST_F(Routing, RefusesAnUnknownProtocolWithAnAlert) {
  const Result<void> shaken = shake_hands(
      "\x0d"
      "cairn-other/1");
  ASSERT_FALSE(shaken.has_value());
  EXPECT_EQ(shaken.error().code, Errc::kUnsupported);
  EXPECT_THAT(page("/metrics"), HasSubstr("cairn_proxy_refused_total{reason=\"greeting\"} 1"));
}

TEST_F(Routing, RefusesAClientThatOffersNoProtocol) {
  const Result<void> shaken = shake_hands("");
  ASSERT_FALSE(shaken.has_value());
  EXPECT_EQ(shaken.error().code, Errc::kUnsupported);
}

TEST_F(Routing, RefusesAUsersCertificateOnTheControlConnection) {
  auto connection = run(connect(ca_.user(), Alpn::kTunnel));
  ASSERT_TRUE(connection.has_value());  // TLS 1.3: the refusal comes with the first read
  std::string byte(1, '\0');
  const Result<size_t> read = run((*connection)->read_some(asio::buffer(byte)));
  ASSERT_FALSE(read.has_value());
  EXPECT_THAT(read.error().message, HasSubstr("the proxy refused our certificate: it is of the wrong role"));
  (*connection)->close();  // the proxy waits a moment for that
  EXPECT_TRUE(comes_to_say("cairn_proxy_refused_total{reason=\"handshake\"} 1"));
}

TEST_F(Routing, HangsUpOnWhatIsNoTls) {
  const auto stranger = bare_connection();
  write(*stranger, "GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(read(*stranger, 100), "");
}

TEST_F(Routing, HangsUpOnAClientHelloWithoutEnd) {
  const auto stranger = bare_connection();
  // A handshake message of the greatest size, in records of one byte.
  std::string endless("\x16\x03\x01\x00\x04\x01\x00\x40\x00", 9);
  for (int i = 0; i < 8000; i++) endless += std::string("\x16\x03\x01\x00\x01x", 6);
  static_cast<void>(run(stranger->write_bytes(asio::buffer(endless))));  // may fail: it hangs up in the middle
  EXPECT_EQ(read(*stranger, 100), "");
}

TEST_F(Routing, SaysThatAuthIsDown) {
  auth_.close();
  const auto client = run(tunnel::AuthClient::connect(address(), ca_.user(), soon()));
  ASSERT_FALSE(client.has_value());
  EXPECT_EQ(client.error().code, Errc::kUnavailable);
  EXPECT_THAT(client.error().message, HasSubstr("is auth running behind it?"));
}

TEST_F(Routing, CountsConnectionsByType) {
  const auto node = connect_node(ca_.node());
  const auto client = ask_for("nowhere");
  answer_to(*client);
  const std::string metrics = page("/metrics");
  EXPECT_THAT(metrics, HasSubstr("cairn_proxy_connections_total{alpn=\"cairn-tunnel/1\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("cairn_proxy_connections_total{alpn=\"cairn-ssh/1\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("cairn_proxy_connections_total{alpn=\"http/1.1\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("cairn_proxy_agents 1\n"));
}

class QuickDoor : public ClusterOnLoopback {
 protected:
  QuickDoor() : ClusterOnLoopback({.auth = {}, .handshake_limit = std::chrono::milliseconds(50)}) {}
};

TEST_F(QuickDoor, HangsUpOnASilentStranger) {
  const auto stranger = std::move(run(tunnel::connect_bare(address(), soon())).value());
  EXPECT_EQ(read(*stranger, 100), "");
}

TEST_F(QuickDoor, HangsUpOnAClientThatSaysNothingAfterTheHandshake) {
  auto client = run(connect(ca_.user(), Alpn::kSsh));
  ASSERT_TRUE(client.has_value());
  EXPECT_EQ(read(**client, 100), "");
}

// Two strangers are as many as it takes.
class CrowdedDoor : public ClusterOnLoopback {
 protected:
  explicit CrowdedDoor(DoorOptions options) : ClusterOnLoopback(std::move(options)) {}

  void expect_the_third_is_closed(const std::string& reason) {
    const auto first = std::move(run(tunnel::connect_bare(address(), soon())).value());
    const auto second = std::move(run(tunnel::connect_bare(address(), soon())).value());
    const auto third = std::move(run(tunnel::connect_bare(address(), soon())).value());
    EXPECT_EQ(read(*third, 100), "");
    first->close();
    second->close();
    // The two that left make room again.
    EXPECT_TRUE(comes_to_say("cairn_proxy_refused_total{reason=\"" + reason + "\"}"));
  }
};

class NarrowDoor : public CrowdedDoor {
 protected:
  NarrowDoor() : CrowdedDoor({.auth = {}, .handshakes = {.at_once = 2, .at_once_per_address = 128}}) {}
};

TEST_F(NarrowDoor, ClosesHandshakesBeyondItsLimitWhenNoneEnds) { expect_the_third_is_closed("too_many_handshakes"); }

TEST_F(NarrowDoor, LetsHandshakesBeyondItsLimitWaitForOthersToEnd) {
  const auto first = std::move(run(tunnel::connect_bare(address(), soon())).value());
  const auto second = std::move(run(tunnel::connect_bare(address(), soon())).value());
  asio::steady_timer timer(loop_, std::chrono::milliseconds(100));
  timer.async_wait([&](boost::system::error_code) { first->close(); });
  EXPECT_TRUE(run(connect(ca_.user(), Alpn::kSsh)).has_value());
  second->close();
  EXPECT_THAT(page("/metrics"), Not(HasSubstr("cairn_proxy_accept_pauses_total 0\n")));
}

class DoorForCrowds : public CrowdedDoor {
 protected:
  DoorForCrowds() : CrowdedDoor({.auth = {}, .handshakes = {.at_once = 100, .at_once_per_address = 2}}) {}
};

TEST_F(DoorForCrowds, ClosesHandshakesBeyondWhatOneAddressMayHave) {
  expect_the_third_is_closed("too_many_of_address");
}

TEST_F(DoorForCrowds, HasRoomForAnyNumberWhoHaveProvedWhoTheyAre) {
  std::vector<std::unique_ptr<tunnel::Connection>> nodes;
  for (int i = 0; i < 5; i++) nodes.push_back(connect_node(ca_.node(fmt::format("web-{}", i))));
  EXPECT_TRUE(comes_to_say("cairn_proxy_agents 5"));
}

// A load balancer stands before it, at 127.0.0.1.
class DoorBehindABalancer : public ClusterOnLoopback {
 protected:
  DoorBehindABalancer() : ClusterOnLoopback({.auth = {}, .balancers = "127.0.0.0/8"}) {}

  // A client's connection as `from` the balancer passes it on: header first.
  Result<std::unique_ptr<tunnel::Connection>> connect_through_balancer(std::shared_ptr<const tunnel::Identity> me,
                                                                       tunnel::Alpn alpn) {
    auto work = [](tunnel::Address to, std::shared_ptr<const tunnel::Identity> who,
                   tunnel::Alpn what) -> awaitable<Result<std::unique_ptr<tunnel::Connection>>> {
      auto bare = co_await tunnel::connect_bare(to, soon());
      if (!bare) co_return fail(bare);
      const std::string header = std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", 16) +
                                 std::string("\xc0\x00\x02\x07\xc6\x33\x64\x01\x13\x9e\x0c\x08", 12);
      const Result<void> written = co_await (*bare)->write_bytes(asio::buffer(header));
      if (!written) co_return fail(written);
      tunnel::TlsStream stream((*bare)->release_socket(), tunnel::client_context(*who, what).value(),
                               tunnel::TlsSide::kClient);
      const Result<void> shaken = co_await stream.handshake();
      if (!shaken) co_return fail(shaken);
      co_return std::make_unique<tunnel::Connection>(std::move(stream), tunnel::Peer(), what);
    };
    return run(work(address(), std::move(me), alpn));
  }
};

TEST_F(DoorBehindABalancer, KnowsTheClientByTheAddressThatTheBalancerSaw) {
  auto node = connect_through_balancer(ca_.node("web-1"), Alpn::kTunnel);
  ASSERT_TRUE(node.has_value()) << node.error().message;
  tunnel::v1::FromAgent hello;
  hello.mutable_hello()->set_version("test");
  ASSERT_TRUE(run((*node)->write(hello)).has_value());
  ASSERT_TRUE(run((*node)->read<tunnel::v1::FromProxy>(tunnel::kMaxControlFrameBytes)).has_value());
  auto client = connect_through_balancer(ca_.user("alice"), Alpn::kSsh);
  ASSERT_TRUE(client.has_value()) << client.error().message;
  tunnel::v1::SshRequest request;
  request.set_node("web-1");
  ASSERT_TRUE(run((*client)->write(request)).has_value());
  EXPECT_EQ(next_dial(**node).client_address(), "192.0.2.7:5022");
}

TEST_F(DoorBehindABalancer, HangsUpOnWhoComesWithoutAHeader) {
  const auto connection = run(connect(ca_.node("web-1"), Alpn::kTunnel));
  EXPECT_FALSE(connection.has_value());
}

TEST_F(Routing, TakesNoHeaderFromWhoIsNoBalancer) {
  const auto stranger = bare_connection();
  write(*stranger, std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", 16));
  EXPECT_EQ(read(*stranger, 100), "");
}

}  // namespace
}  // namespace cairn::proxy
