#include "agent/enroll/enrolment.h"

#include <deque>
#include <optional>

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>

#include "agent/enroll/ssh_host_key.h"
#include "agent/tests/supervisor/temporary_folder.h"
#include "base/bytes.h"
#include "base/file.h"
#include "tests/support/test_ca.h"
#include "tunnel/server.h"

namespace cairn::agent {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

// co_spawn wants results that can be made from nothing; this one cannot.
awaitable<void> run_into(Enrolment* enrolment, std::optional<Result<NodeIdentity>>* outcome) {
  outcome->emplace(co_await enrolment->run());
}

class Joining : public testing::Test {
 protected:
  // What auth answers, one after the other; the last one again and again.
  enum class Answer { kJoined, kRefused, kUnreachable, kWrongPin };

  Joining() {
    options_.data_dir = folder_.path();
    options_.proxies = {{.host = "127.0.0.1", .port = 1}};
    options_.token = "secret";
    options_.ca_pin = ca_.pin();
    options_.name = "web-1";
    options_.labels = {{"env", "test"}};
    options_.first_retry = milliseconds(1);
    options_.last_retry = milliseconds(2);
  }

  awaitable<Result<enroll::v1::EnrollResponse>> answer(tunnel::Address, std::string pin,
                                                       enroll::v1::EnrollRequest request, Deadline) {
    co_await asio::post(asio::use_awaitable);
    asked_.push_back(request.join());
    pins_.push_back(std::move(pin));
    const Answer next = answers_.front();
    if (answers_.size() > 1) answers_.pop_front();
    if (next == Answer::kRefused) co_return fail(Errc::kDenied, "token expired 4 min ago");
    if (next == Answer::kWrongPin) co_return fail(Errc::kDenied, "CA pin mismatch: expected …");
    if (next == Answer::kUnreachable) co_return fail(Errc::kUnavailable, "connection refused");
    const testing_support::TestCa::Subject subject{.role = tunnel::Role::kNode, .id = id_, .name = "web-1"};
    enroll::v1::EnrollResponse response;
    response.mutable_join()->set_id(id_);
    response.mutable_join()->set_certificate(ca_.certificate(subject, request.join().tls_public_key()));
    *response.mutable_join()->mutable_authorities() = ca_.authorities();
    co_return response;
  }

  Result<NodeIdentity> run(std::deque<Answer> answers) {
    answers_ = std::move(answers);
    Enrolment enrolment(
        options_, &clock_, Log("enrolment-test", LogLevel::kError),
        [this](tunnel::Address to, std::string pin, enroll::v1::EnrollRequest request, Deadline deadline) {
          return answer(std::move(to), std::move(pin), std::move(request), deadline);
        });
    return run(enrolment);
  }
  static Result<NodeIdentity> run(Enrolment& enrolment) {
    asio::io_context io;
    std::optional<Result<NodeIdentity>> outcome;
    asio::co_spawn(io, run_into(&enrolment, &outcome), or_die());
    io.run();
    return std::move(*outcome);
  }
  void store(int64_t not_after_s) {
    const auto identity = ca_.identity(
        {.role = tunnel::Role::kNode, .id = id_, .name = "web-1", .not_before_s = -7200, .not_after_s = not_after_s});
    const Result<NodeIdentity> stored = NodeIdentity::create(folder_.path(), *identity);
    ASSERT_TRUE(stored) << stored.error().message;
  }

  const testing_support::TestCa ca_{"testing"};
  const std::string id_ = random_uuid();
  const TemporaryFolder folder_;
  const SystemClock clock_;
  EnrolmentOptions options_;
  std::deque<Answer> answers_;
  std::vector<enroll::v1::JoinRequest> asked_;
  std::vector<std::string> pins_;
};

TEST_F(Joining, SendsTheTokenAndBothPublicKeysAndStoresTheIdentity) {
  const Result<NodeIdentity> joined = run({Answer::kJoined});
  ASSERT_TRUE(joined) << joined.error().message;
  EXPECT_EQ(joined->current()->self.id, id_);
  ASSERT_EQ(asked_.size(), 1u);
  EXPECT_EQ(asked_[0].token(), "secret");
  EXPECT_EQ(asked_[0].name(), "web-1");
  EXPECT_EQ(asked_[0].labels().at("env"), "test");
  EXPECT_EQ(asked_[0].ssh_host_key(), ensure_ssh_host_key(folder_.path()).value_or(""));
  EXPECT_EQ(pins_[0], ca_.pin());

  Result<std::optional<NodeIdentity>> stored = NodeIdentity::load(folder_.path());
  ASSERT_TRUE(stored && stored->has_value());
  EXPECT_EQ((*stored)->current()->private_pem, joined->current()->private_pem);
}

TEST_F(Joining, IsNotDoneTwice) {
  ASSERT_TRUE(run({Answer::kJoined}));
  options_.token = "@/nowhere/token";  // gone by now, and not looked for
  const Result<NodeIdentity> second = run({Answer::kRefused});
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(asked_.size(), 1u);
}

TEST_F(Joining, ReadsTheTokenFromAFile) {
  const std::filesystem::path file = folder_.path() / "token";
  ASSERT_TRUE(write_file_atomically(file, "from the file\n", 0600));
  options_.token = "@" + file.string();
  ASSERT_TRUE(run({Answer::kJoined}));
  EXPECT_EQ(asked_[0].token(), "from the file");
}

TEST_F(Joining, WaitsOutAnUnreachableNetworkWithOneKey) {
  const Result<NodeIdentity> joined = run({Answer::kUnreachable, Answer::kUnreachable, Answer::kJoined});
  ASSERT_TRUE(joined) << joined.error().message;
  ASSERT_EQ(asked_.size(), 3u);
  EXPECT_EQ(asked_[0].tls_public_key(), asked_[2].tls_public_key());
}

TEST_F(Joining, EndsWithAuthsSentenceWhenTheTokenIsRefused) {
  const Result<NodeIdentity> joined = run({Answer::kRefused});
  ASSERT_FALSE(joined);
  EXPECT_EQ(joined.error().code, Errc::kDenied);
  EXPECT_THAT(joined.error().message, HasSubstr("token expired 4 min ago"));
  EXPECT_EQ(asked_.size(), 1u);
}

TEST_F(Joining, CanBeTriedAgainAfterItWasRefused) {
  ASSERT_FALSE(run({Answer::kRefused}));
  const Result<NodeIdentity> joined = run({Answer::kJoined});
  ASSERT_TRUE(joined) << joined.error().message;
  EXPECT_EQ(asked_[0].ssh_host_key(), asked_[1].ssh_host_key());
}

TEST_F(Joining, NeedsAToken) {
  options_.token.clear();
  const Result<NodeIdentity> joined = run({Answer::kJoined});
  ASSERT_FALSE(joined);
  EXPECT_THAT(joined.error().message, HasSubstr("cairn tokens add --type=node"));
  EXPECT_TRUE(asked_.empty());
}

TEST_F(Joining, RefusesToTrustWhoeverAnswers) {
  options_.ca_pin.clear();
  const Result<NodeIdentity> joined = run({Answer::kJoined});
  ASSERT_FALSE(joined);
  EXPECT_THAT(joined.error().message, HasSubstr("no CA pin"));
  EXPECT_TRUE(asked_.empty());
}

TEST_F(Joining, TrustsWhoeverAnswersOnlyWhenToldSo) {
  options_.ca_pin.clear();
  options_.is_pin_waived = true;
  ASSERT_TRUE(run({Answer::kJoined}));
  EXPECT_EQ(pins_[0], "");
}

TEST_F(Joining, ChecksAPinThatIsGivenEvenWhenItWasWaived) {
  options_.is_pin_waived = true;
  ASSERT_TRUE(run({Answer::kJoined}));
  EXPECT_EQ(pins_[0], ca_.pin());
}

TEST_F(Joining, RefusesAPinThatIsNone) {
  options_.ca_pin = "sha256:abc";
  const Result<NodeIdentity> joined = run({Answer::kJoined});
  ASSERT_FALSE(joined);
  EXPECT_THAT(joined.error().message, HasSubstr("CA pin \"sha256:abc\""));
}

TEST_F(Joining, SaysHowToJoinAgainWhenTheStoredIdentityHasExpired) {
  store(-60);
  options_.token.clear();
  const Result<NodeIdentity> joined = run({Answer::kJoined});
  ASSERT_FALSE(joined);
  EXPECT_EQ(joined.error().code, Errc::kExpired);
  EXPECT_THAT(joined.error().message, HasSubstr("certificate expired at"));
  EXPECT_THAT(joined.error().message, HasSubstr("cairn tokens add"));
}

TEST_F(Joining, ReplacesAnExpiredIdentityWithATokenAtHand) {
  store(-60);
  const Result<NodeIdentity> joined = run({Answer::kJoined});
  ASSERT_TRUE(joined) << joined.error().message;
  EXPECT_GT(joined->current()->not_after_s, clock_.wall_s());
}

// ---- over TLS

TEST_F(Joining, EndsWhenTheServerHasAnotherAuthority) {
  asio::io_context io;
  Result<tunnel::Listener> listener = tunnel::Listener::open(io.get_executor(), {.host = "127.0.0.1", .port = 0});
  ASSERT_TRUE(listener) << listener.error().message;
  auto tls = tunnel::make_server_tls(ca_.identity({.role = tunnel::Role::kAuth}), {tunnel::Alpn::kEnroll});
  ASSERT_TRUE(tls) << tls.error().message;
  auto serve = [](tunnel::Listener* at, std::shared_ptr<const tunnel::ServerTls> as) -> awaitable<void> {
    auto socket = co_await at->accept();
    if (!socket) co_return;
    tunnel::Arrival arrival(std::move(*socket));
    const Result<tunnel::Alpn> alpn = co_await arrival.greet(after(milliseconds(10'000)));
    if (!alpn) co_return;
    std::ignore = co_await arrival.secure(std::move(as), after(milliseconds(10'000)));
  };
  options_.proxies = {*tunnel::parse_address(listener->address(), 0)};
  options_.ca_pin = testing_support::TestCa("testing").pin();
  Enrolment enrolment(options_, &clock_, Log("enrolment-test", LogLevel::kError));
  std::optional<Result<NodeIdentity>> outcome;
  asio::co_spawn(io, serve(&*listener, *tls), or_die());
  asio::co_spawn(io, run_into(&enrolment, &outcome), or_die());
  io.run_for(std::chrono::seconds(20));
  ASSERT_TRUE(outcome.has_value());
  ASSERT_FALSE(*outcome);
  EXPECT_EQ(outcome->error().code, Errc::kDenied);
  EXPECT_THAT(outcome->error().message, HasSubstr("CA pin mismatch"));
}

}  // namespace
}  // namespace cairn::agent
