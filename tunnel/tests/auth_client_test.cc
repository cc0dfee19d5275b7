#include <filesystem>
#include <string>

#include <gmock/gmock.h>

#include "tunnel/auth_client.h"
#include "tunnel/tests/loopback.h"

namespace cairn::tunnel {
namespace {

using testing::HasSubstr;
using testing_support::run_in_loop;
using testing_support::TestCa;

// Answers one request with `response`, after which it hangs up.
awaitable<Result<void>> answer(LoopbackServer* server, auth::v1::Response response) {
  Result<std::unique_ptr<Connection>> connection = co_await server->accept();
  if (!connection) co_return fail(connection);
  Connection& client = **connection;
  const auto request = co_await client.read<auth::v1::Request>(kMaxAuthFrameBytes);
  if (!request) co_return fail(request);
  if (response.kind_case() == auth::v1::Response::KIND_NOT_SET) co_return Result<void>();
  co_return co_await client.write(response);
}

awaitable<Result<auth::v1::Response>> ask(LoopbackServer* server, std::shared_ptr<const Identity> me) {
  auto client = co_await AuthClient::connect(server->address(), std::move(me), soon());
  if (!client) co_return fail(client);
  auth::v1::Request request;
  request.mutable_status();
  co_return co_await (*client)->call(std::move(request), soon());
}

Result<auth::v1::Response> answer_to(auth::v1::Response response) {
  const TestCa cluster;
  asio::io_context loop;
  LoopbackServer server(loop, cluster.auth(), {Alpn::kAuth});
  auto both = [](LoopbackServer* at, std::shared_ptr<const Identity> me,
                 auth::v1::Response response) -> awaitable<Result<auth::v1::Response>> {
    using namespace asio::experimental::awaitable_operators;
    auto answering = answer(at, std::move(response));
    auto asking = ask(at, std::move(me));
    auto [answered, asked] = co_await (std::move(answering) && std::move(asking));
    co_return std::move(asked);
  };
  return run_in_loop(loop, both(&server, cluster.user(), std::move(response)));
}

TEST(AuthThatAnswers, IsHeard) {
  auth::v1::Response response;
  response.mutable_status()->set_cluster("testing");
  const auto heard = answer_to(std::move(response));
  ASSERT_TRUE(heard.has_value()) << heard.error().message;
  EXPECT_EQ(heard->status().cluster(), "testing");
}

struct Refusal {
  const char* name;
  auth::v1::ErrorCode code;
  Errc expected;
};

class AuthThatRefuses : public testing::TestWithParam<Refusal> {};

TEST_P(AuthThatRefuses, MakesAnErrorOfItsKindWithItsSentence) {
  auth::v1::Response response;
  response.mutable_error()->set_code(GetParam().code);
  response.mutable_error()->set_message("a sentence with the next step");
  const auto heard = answer_to(std::move(response));
  ASSERT_FALSE(heard.has_value());
  EXPECT_EQ(heard.error().code, GetParam().expected);
  EXPECT_EQ(heard.error().message, "a sentence with the next step");
}

INSTANTIATE_TEST_SUITE_P(Codes, AuthThatRefuses,
                         testing::Values(Refusal{"invalid", auth::v1::ERROR_CODE_INVALID, Errc::kInvalid},
                                         Refusal{"not_found", auth::v1::ERROR_CODE_NOT_FOUND, Errc::kNotFound},
                                         Refusal{"exists", auth::v1::ERROR_CODE_ALREADY_EXISTS, Errc::kAlreadyExists},
                                         Refusal{"denied", auth::v1::ERROR_CODE_DENIED, Errc::kDenied},
                                         Refusal{"unavailable", auth::v1::ERROR_CODE_UNAVAILABLE, Errc::kUnavailable},
                                         Refusal{"internal", auth::v1::ERROR_CODE_INTERNAL, Errc::kInternal},
                                         Refusal{"unspecified", auth::v1::ERROR_CODE_UNSPECIFIED, Errc::kInternal}),
                         [](const auto& refusal) { return std::string(refusal.param.name); });

TEST(AuthThatHangsUp, IsUnavailable) {
  const auto heard = answer_to({});
  ASSERT_FALSE(heard.has_value());
  EXPECT_EQ(heard.error().code, Errc::kUnavailable);
  EXPECT_THAT(heard.error().message, HasSubstr("auth"));
}

TEST(AuthThatIsNotThere, IsUnavailableAndNamedByAddress) {
  const TestCa cluster;
  asio::io_context loop;
  const Address nobody = [&] {
    const LoopbackServer server(loop, cluster.auth(), {Alpn::kAuth});
    return server.address();
  }();
  const auto client = run_in_loop(loop, AuthClient::connect(nobody, cluster.user(), soon()));
  ASSERT_FALSE(client.has_value());
  EXPECT_EQ(client.error().code, Errc::kUnavailable);
  EXPECT_THAT(client.error().message, HasSubstr(address_text(nobody)));
}

TEST(AuthSocketThatIsNotThere, IsUnavailableAndNamed) {
  asio::io_context loop;
  const auto client = run_in_loop(loop, AuthClient::connect_unix("/nonexistent/auth.sock", soon()));
  ASSERT_FALSE(client.has_value());
  EXPECT_EQ(client.error().code, Errc::kUnavailable);
  EXPECT_THAT(client.error().message, HasSubstr("/nonexistent/auth.sock"));
}

TEST(ClientWithAnExpiredCertificate, HearsThatFromAuth) {
  const TestCa cluster;
  asio::io_context loop;
  LoopbackServer server(loop, cluster.auth(), {Alpn::kAuth});
  auto both = [](LoopbackServer* at, std::shared_ptr<const Identity> me) -> awaitable<Result<auth::v1::Response>> {
    using namespace asio::experimental::awaitable_operators;
    auto answering = answer(at, {});
    auto asking = ask(at, std::move(me));
    auto [answered, asked] = co_await (std::move(answering) && std::move(asking));
    co_return std::move(asked);
  };
  const auto heard = run_in_loop(loop, both(&server, cluster.user("alice", {.from_s = -7200, .until_s = -3600})));
  ASSERT_FALSE(heard.has_value());
  EXPECT_EQ(heard.error().code, Errc::kUnauthenticated);
  EXPECT_THAT(heard.error().message, HasSubstr("auth refused our certificate: it has expired"));
}

}  // namespace
}  // namespace cairn::tunnel
