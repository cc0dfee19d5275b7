// Joining: who is believed when nothing is known but a pin.
#include <string>

#include <gmock/gmock.h>

#include "tunnel/tests/loopback.h"

namespace cairn::tunnel {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing_support::run_in_loop;
using testing_support::TestCa;

// Answers one request, or goes away when the client does.
awaitable<Result<std::string>> answer(LoopbackServer* server, enroll::v1::EnrollResponse response) {
  Result<std::unique_ptr<Connection>> connection = co_await server->accept();
  if (!connection) co_return fail(connection);
  Connection& client = **connection;
  const auto request = co_await client.read<enroll::v1::EnrollRequest>(kMaxControlFrameBytes);
  if (!request || !*request) co_return fail(Errc::kClosed, "no request came");
  const Result<void> written = co_await client.write(response);
  if (!written) co_return fail(written);
  co_await client.close_gracefully();
  co_return (*request)->join().token();
}

struct Outcome {
  Result<enroll::v1::EnrollResponse> client;
  Result<std::string> server;
};

awaitable<Outcome> enroll_at(LoopbackServer* server, std::string pin, enroll::v1::EnrollResponse response) {
  using namespace asio::experimental::awaitable_operators;
  enroll::v1::EnrollRequest request;
  request.mutable_join()->set_token("secret");
  auto answering = answer(server, std::move(response));
  auto asking = enroll(server->address(), std::move(pin), std::move(request), soon());
  auto [served, asked] = co_await (std::move(answering) && std::move(asking));
  co_return Outcome{.client = std::move(asked), .server = std::move(served)};
}

enroll::v1::EnrollResponse joined() {
  enroll::v1::EnrollResponse response;
  response.mutable_join()->set_id("an id");
  return response;
}

TEST(RightPin, BelievesAndAsks) {
  const TestCa cluster;
  asio::io_context loop;
  LoopbackServer server(loop, cluster.auth(), {Alpn::kEnroll});
  const Outcome outcome = run_in_loop(loop, enroll_at(&server, cluster.pin(), joined()));
  ASSERT_TRUE(outcome.client.has_value()) << outcome.client.error().message;
  EXPECT_EQ(outcome.client->join().id(), "an id");
  EXPECT_EQ(outcome.server.value(), "secret");
}

TEST(WrongPin, IsNamedBesideTheRightOneAndNothingIsSent) {
  const TestCa cluster;
  const TestCa other;
  asio::io_context loop;
  LoopbackServer server(loop, cluster.auth(), {Alpn::kEnroll});
  const Outcome outcome = run_in_loop(loop, enroll_at(&server, other.pin(), joined()));
  ASSERT_FALSE(outcome.client.has_value());
  EXPECT_EQ(outcome.client.error().code, Errc::kDenied);
  EXPECT_THAT(outcome.client.error().message,
              AllOf(HasSubstr("CA pin mismatch: expected " + other.pin()),
                    HasSubstr(address_text(server.address()) + " presented " + cluster.pin())));
  EXPECT_FALSE(outcome.server.has_value());
}

TEST(PinOfAnotherForm, IsRefusedBeforeAnyConnection) {
  asio::io_context loop;
  for (const std::string pin : {"nonsense", "sha256:12", "md5:0123"}) {
    const auto response = run_in_loop(loop, enroll({.host = "127.0.0.1", .port = 1}, pin, {}, soon()));
    ASSERT_FALSE(response.has_value());
    EXPECT_EQ(response.error().code, Errc::kInvalid);
    EXPECT_THAT(response.error().message, HasSubstr("pin"));
  }
}

TEST(EmptyPin, BelievesWhoeverAnswers) {
  const TestCa cluster;
  asio::io_context loop;
  LoopbackServer server(loop, cluster.auth(), {Alpn::kEnroll});
  EXPECT_TRUE(run_in_loop(loop, enroll_at(&server, "", joined())).client.has_value());
}

TEST(RightPinOfAnExpiredAuth, IsRefused) {
  const TestCa cluster;
  asio::io_context loop;
  LoopbackServer server(loop, cluster.auth({.from_s = -7200, .until_s = -3600}), {Alpn::kEnroll});
  const Outcome outcome = run_in_loop(loop, enroll_at(&server, cluster.pin(), joined()));
  ASSERT_FALSE(outcome.client.has_value());
  EXPECT_THAT(outcome.client.error().message, HasSubstr("expired"));
}

TEST(NodeThatPosesAsAuth, IsRefusedDespiteTheRightPin) {
  const TestCa cluster;
  asio::io_context loop;
  LoopbackServer server(loop, cluster.node(), {Alpn::kEnroll});
  const Outcome outcome = run_in_loop(loop, enroll_at(&server, cluster.pin(), joined()));
  ASSERT_FALSE(outcome.client.has_value());
  EXPECT_THAT(outcome.client.error().message, HasSubstr("not auth"));
}

TEST(StolenAuthority, DoesNotMakeAForeignCertificateOurs) {
  // An impostor presents its own certificate and, as its chain, the CA certificate of the cluster, which is public.
  const TestCa cluster;
  const TestCa impostor;
  const std::shared_ptr<const Identity> its = impostor.auth();
  Identity mixed = make_identity(its->private_pem, its->certificate_pem, cluster.authorities()).value();
  asio::io_context loop;
  LoopbackServer server(loop, std::make_shared<const Identity>(std::move(mixed)), {Alpn::kEnroll});
  const Outcome outcome = run_in_loop(loop, enroll_at(&server, cluster.pin(), joined()));
  ASSERT_FALSE(outcome.client.has_value());
  EXPECT_EQ(outcome.client.error().code, Errc::kUnauthenticated);
}

TEST(RefusedToken, CarriesTheSentenceOfAuth) {
  const TestCa cluster;
  asio::io_context loop;
  LoopbackServer server(loop, cluster.auth(), {Alpn::kEnroll});
  enroll::v1::EnrollResponse refusal;
  refusal.mutable_error()->set_message("token expired 4 min ago");
  const Outcome outcome = run_in_loop(loop, enroll_at(&server, cluster.pin(), std::move(refusal)));
  ASSERT_FALSE(outcome.client.has_value());
  EXPECT_EQ(outcome.client.error().code, Errc::kDenied);
  EXPECT_EQ(outcome.client.error().message, "token expired 4 min ago");
}

}  // namespace
}  // namespace cairn::tunnel
