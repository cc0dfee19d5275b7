// Who is let in and who is refused in the TLS handshake, and what each side says about it.
#include <functional>
#include <string>

#include <gmock/gmock.h>

#include "base/bytes.h"
#include "tunnel/tests/loopback.h"

namespace cairn::tunnel {
namespace {

using testing::HasSubstr;
using testing_support::run_in_loop;
using testing_support::TestCa;

const TestCa& ours() {
  static const TestCa cluster("testing");
  return cluster;
}
const TestCa& foreign() {
  static const TestCa cluster("elsewhere");
  return cluster;
}
// Another authority that claims our cluster's name.
const TestCa& impostor() {
  static const TestCa cluster("testing");
  return cluster;
}

// A host whose cluster is another, though our authority signed it; such a one believes as we do.
std::shared_ptr<const Identity> strayed_node() {
  return ours().identity({.role = Role::kNode, .id = random_uuid(), .name = "web-1", .cluster = "elsewhere"});
}

// An identity that presents a foreign certificate but believes our authorities, so that it is the one refused.
std::shared_ptr<const Identity> believing_us(const std::shared_ptr<const Identity>& theirs) {
  Identity mixed = make_identity(theirs->private_pem, theirs->certificate_pem, ours().authorities()).value();
  mixed.self.cluster = "testing";
  return std::make_shared<const Identity>(std::move(mixed));
}

struct Refused {
  const char* name;
  Alpn alpn;
  std::function<std::shared_ptr<const Identity>()> client;
  const char* server_says;
  const char* client_says;
};

class ClientCertificate : public testing::TestWithParam<Refused> {};

TEST_P(ClientCertificate, IsRefusedAndBothSidesSayWhy) {
  asio::io_context loop;
  const bool is_auth = GetParam().alpn == Alpn::kAuth;
  LoopbackServer server(loop, is_auth ? ours().auth() : ours().proxy(), {GetParam().alpn});
  const Pair pair =
      run_in_loop(loop, join(&server, GetParam().client(), GetParam().alpn, is_auth ? Role::kAuth : Role::kProxy));
  ASSERT_FALSE(pair.server.has_value());
  EXPECT_EQ(pair.server.error().code, Errc::kUnauthenticated);
  EXPECT_THAT(pair.server.error().message, HasSubstr(GetParam().server_says));

  // TLS 1.3: the client is done before the server has looked, and learns it when it reads.
  ASSERT_TRUE(pair.client.has_value()) << pair.client.error().message;
  const Result<std::string> read = run_in_loop(loop, read_up_to(pair.client->get(), 1));
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, Errc::kUnauthenticated);
  EXPECT_THAT(read.error().message, HasSubstr(is_auth ? "auth refused our certificate" : "the proxy refused our"));
  EXPECT_THAT(read.error().message, HasSubstr(GetParam().client_says));
}

INSTANTIATE_TEST_SUITE_P(
    Faults, ClientCertificate,
    testing::Values(Refused{.name = "expired",
                            .alpn = Alpn::kTunnel,
                            .client = [] { return ours().node("web-1", {.from_s = -7200, .until_s = -3600}); },
                            .server_says = "expired at",
                            .client_says = "it has expired"},
                    Refused{.name = "from_the_future",
                            .alpn = Alpn::kTunnel,
                            .client = [] { return ours().node("web-1", {.from_s = 3600, .until_s = 7200}); },
                            .server_says = "is not valid before",
                            .client_says = "not valid yet"},
                    Refused{.name = "of_a_foreign_authority",
                            .alpn = Alpn::kTunnel,
                            .client = [] { return believing_us(foreign().node()); },
                            .server_says = "another authority",
                            .client_says = "another authority"},
                    Refused{.name = "of_an_authority_that_claims_our_name",
                            .alpn = Alpn::kSsh,
                            .client = [] { return believing_us(impostor().user()); },
                            .server_says = "another authority",
                            .client_says = "another authority"},
                    Refused{.name = "of_another_cluster",
                            .alpn = Alpn::kTunnel,
                            .client = [] { return believing_us(strayed_node()); },
                            .server_says = "belongs to cluster \"elsewhere\"",
                            .client_says = "refused our certificate"},
                    Refused{.name = "of_a_user_where_a_node_is_due",
                            .alpn = Alpn::kTunnel,
                            .client = [] { return ours().user(); },
                            .server_says = "certificate of a user, which has no place on cairn-tunnel/1",
                            .client_says = "wrong role"},
                    Refused{.name = "of_a_user_who_dials_back",
                            .alpn = Alpn::kDial,
                            .client = [] { return ours().user(); },
                            .server_says = "no place on cairn-dial/1",
                            .client_says = "wrong role"},
                    Refused{.name = "of_a_node_that_poses_as_a_person",
                            .alpn = Alpn::kSsh,
                            .client = [] { return ours().node(); },
                            .server_says = "certificate of a node, which has no place on cairn-ssh/1",
                            .client_says = "wrong role"},
                    Refused{.name = "of_auth_itself",
                            .alpn = Alpn::kAuth,
                            .client = [] { return ours().auth(); },
                            .server_says = "no place on cairn-auth/1",
                            .client_says = "wrong role"}),
    [](const auto& refused) { return std::string(refused.param.name); });

TEST(ClientWithoutCertificate, IsRefusedAndBothSidesSayWhy) {
  asio::io_context loop;
  LoopbackServer server(loop, ours().proxy(), {Alpn::kTunnel});
  Result<std::unique_ptr<Connection>> accepted;
  asio::co_spawn(loop, server.accept(), [&](std::exception_ptr escaped, Result<std::unique_ptr<Connection>> result) {
    or_die()(escaped);
    accepted = std::move(result);
  });
  asio::ip::tcp::socket socket(loop);
  socket.connect({asio::ip::address_v4::loopback(), server.address().port});
  TlsStream client(Socket(std::move(socket)), anonymous_client_context(Alpn::kTunnel).value(), TlsSide::kClient);
  ASSERT_TRUE(run_in_loop(loop, client.handshake()).has_value());
  char byte = 0;
  const Result<size_t> read = run_in_loop(loop, client.read_some(asio::buffer(&byte, 1)));
  ASSERT_FALSE(read.has_value());
  EXPECT_THAT(read.error().message, HasSubstr("one is required here"));
  while (accepted.has_value() && loop.run_one() > 0) {
  }
  ASSERT_FALSE(accepted.has_value());
  EXPECT_THAT(accepted.error().message, HasSubstr("presented no certificate"));
}

TEST(RefusedClient, ReadsTheReasonEvenWhenItWritesFirst) {
  asio::io_context loop;
  LoopbackServer server(loop, ours().proxy(), {Alpn::kTunnel});
  auto expired = ours().node("web-1", {.from_s = -7200, .until_s = -3600});
  const Pair pair = run_in_loop(loop, join(&server, expired, Alpn::kTunnel, Role::kProxy));
  ASSERT_TRUE(pair.client.has_value());
  Result<void> written;
  for (int i = 0; i < 100 && written; i++)  // until the server's hang-up has come through
    written = run_in_loop(loop, (*pair.client)->write_frame(std::string(1000, 'x')));
  if (written) {
    const Result<std::string> read = run_in_loop(loop, read_up_to(pair.client->get(), 1));
    ASSERT_FALSE(read.has_value());
    written = fail(read);
  }
  EXPECT_THAT(written.error().message, HasSubstr("it has expired"));
}

struct Impostor {
  const char* name;
  Alpn alpn;
  Role expected;
  std::function<std::shared_ptr<const Identity>()> server;
  const char* client_says;
};

class ServerCertificate : public testing::TestWithParam<Impostor> {};

TEST_P(ServerCertificate, IsRefusedByTheClient) {
  asio::io_context loop;
  LoopbackServer server(loop, GetParam().server(), {GetParam().alpn});
  const Pair pair = run_in_loop(loop, join(&server, ours().node(), GetParam().alpn, GetParam().expected));
  ASSERT_FALSE(pair.client.has_value());
  EXPECT_EQ(pair.client.error().code, Errc::kUnauthenticated);
  EXPECT_THAT(pair.client.error().message, HasSubstr(GetParam().client_says));
  EXPECT_FALSE(pair.server.has_value());
}

INSTANTIATE_TEST_SUITE_P(
    Faults, ServerCertificate,
    testing::Values(Impostor{.name = "expired",
                             .alpn = Alpn::kTunnel,
                             .expected = Role::kProxy,
                             .server = [] { return ours().proxy("proxy-1", {.from_s = -7200, .until_s = -3600}); },
                             .client_says = "expired at"},
                    Impostor{.name = "from_the_future",
                             .alpn = Alpn::kTunnel,
                             .expected = Role::kProxy,
                             .server = [] { return ours().proxy("proxy-1", {.from_s = 3600, .until_s = 7200}); },
                             .client_says = "is not valid before"},
                    Impostor{.name = "foreign",
                             .alpn = Alpn::kAuth,
                             .expected = Role::kAuth,
                             .server = [] { return foreign().auth(); },
                             .client_says = "another authority"},
                    Impostor{.name = "of_a_proxy_that_poses_as_auth",
                             .alpn = Alpn::kAuth,
                             .expected = Role::kAuth,
                             .server = [] { return ours().proxy(); },
                             .client_says = "certificate of a proxy, which has no place on cairn-auth/1"},
                    Impostor{.name = "of_a_node_that_poses_as_a_proxy",
                             .alpn = Alpn::kTunnel,
                             .expected = Role::kProxy,
                             .server = [] { return ours().node(); },
                             .client_says = "certificate of a node, which has no place on cairn-tunnel/1"}),
    [](const auto& impostor) { return std::string(impostor.param.name); });

TEST(MutualTls, TellsEachSideWhoTheOtherIs) {
  asio::io_context loop;
  LoopbackServer server(loop, ours().proxy("proxy-7"), {Alpn::kTunnel});
  const auto node = ours().node("web-9");
  const Pair pair = run_in_loop(loop, join(&server, node, Alpn::kTunnel, Role::kProxy));
  ASSERT_TRUE(pair.client.has_value()) << pair.client.error().message;
  ASSERT_TRUE(pair.server.has_value()) << pair.server.error().message;
  EXPECT_EQ((*pair.client)->peer().role, Role::kProxy);
  EXPECT_EQ((*pair.client)->peer().name, "proxy-7");
  EXPECT_EQ((*pair.server)->peer().role, Role::kNode);
  EXPECT_EQ((*pair.server)->peer().id, node->self.id);
  EXPECT_EQ((*pair.server)->peer().name, "web-9");
  EXPECT_EQ((*pair.server)->peer().spki_sha256, node->self.spki_sha256);
  EXPECT_EQ((*pair.server)->alpn(), Alpn::kTunnel);
}

TEST(UnknownProtocol, IsRefusedWithAnAlertThatSaysSo) {
  asio::io_context loop;
  LoopbackServer server(loop, ours().proxy(), {Alpn::kTunnel});
  const Pair pair = run_in_loop(loop, join(&server, ours().user(), Alpn::kSsh, Role::kProxy));
  ASSERT_FALSE(pair.server.has_value());
  EXPECT_EQ(pair.server.error().code, Errc::kUnsupported);
  ASSERT_FALSE(pair.client.has_value());
  EXPECT_EQ(pair.client.error().code, Errc::kUnsupported);
  EXPECT_THAT(pair.client.error().message, HasSubstr("the proxy does not speak this protocol"));
}

}  // namespace
}  // namespace cairn::tunnel
