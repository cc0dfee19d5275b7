#include "agent/enroll/renewal.h"

#include <optional>

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>

#include "agent/tests/supervisor/temporary_folder.h"
#include "base/bytes.h"
#include "tests/support/test_ca.h"

namespace cairn::agent {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

class TurnedClock final : public Clock {
 public:
  uint64_t boot_ns() const override { return 0; }
  int64_t wall_ns() const override { return SystemClock().wall_ns() + ahead_s * 1'000'000'000; }

  int64_t ahead_s = 0;
};

class NodeWithACertificateOfADay : public testing::Test {
 protected:
  NodeWithACertificateOfADay() {
    const auto first = ca_.identity(
        {.role = tunnel::Role::kNode, .id = id_, .name = "web-1", .not_before_s = 0, .not_after_s = 24 * 3600});
    Result<NodeIdentity> created = NodeIdentity::create(folder_.path(), *first);
    if (!created) std::abort();
    identity_.emplace(std::move(*created));
    first_ = identity_->current();
  }

  awaitable<Result<auth::v1::Response>> answer(auth::v1::Request request, milliseconds) {
    co_await asio::post(asio::use_awaitable);
    asked_++;
    if (asked_ <= failures_) co_return fail(Errc::kUnavailable, "connection refused");
    const testing_support::TestCa::Subject subject{.role = tunnel::Role::kNode,
                                                   .id = answered_id_.empty() ? id_ : answered_id_,
                                                   .name = "web-1",
                                                   .not_after_s = clock_.ahead_s + 24 * 3600};
    auth::v1::Response response;
    response.mutable_renew()->set_certificate(ca_.certificate(subject, request.renew().tls_public_key()));
    *response.mutable_renew()->mutable_authorities() = ca_.authorities();
    co_return response;
  }

  // Until `holds`, or the renewal has ended.
  std::optional<Result<void>> run_until(const std::function<bool()>& holds) {
    asio::io_context io;
    Renewal renewal(
        &*identity_,
        [this](auth::v1::Request request, milliseconds limit) { return answer(std::move(request), limit); }, &clock_,
        RenewalTimes{.look = milliseconds(1), .first_retry = milliseconds(1), .last_retry = milliseconds(2)},
        Log("renewal-test", LogLevel::kError));
    std::optional<Result<void>> outcome;
    asio::co_spawn(io, renewal.run(), [&outcome](std::exception_ptr escaped, Result<void> ended) {
      or_die()(escaped);
      outcome = std::move(ended);
    });
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!outcome && !holds() && std::chrono::steady_clock::now() < deadline) io.run_one_for(milliseconds(100));
    return outcome;
  }

  const testing_support::TestCa ca_{"testing"};
  const std::string id_ = random_uuid();
  const TemporaryFolder folder_;
  TurnedClock clock_;
  std::optional<NodeIdentity> identity_;
  std::shared_ptr<const tunnel::Identity> first_;
  int asked_ = 0;
  int failures_ = 0;
  std::string answered_id_;
};

TEST_F(NodeWithACertificateOfADay, KeepsItForHalfOfTheDay) {
  clock_.ahead_s = 12 * 3600 - 60;
  int looks = 0;
  run_until([&looks] { return ++looks > 20; });
  EXPECT_EQ(asked_, 0);
  EXPECT_EQ(identity_->current(), first_);
}

TEST_F(NodeWithACertificateOfADay, StoresANewOneWithAFreshKeyAfterHalfOfTheDay) {
  clock_.ahead_s = 12 * 3600 + 60;
  run_until([this] { return identity_->current() != first_; });
  ASSERT_NE(identity_->current(), first_);
  EXPECT_NE(identity_->current()->private_pem, first_->private_pem);
  EXPECT_GT(identity_->current()->not_after_s, first_->not_after_s);
  Result<std::optional<NodeIdentity>> stored = NodeIdentity::load(folder_.path());
  ASSERT_TRUE(stored && stored->has_value());
  EXPECT_EQ((*stored)->current()->certificate_pem, identity_->current()->certificate_pem);
}

TEST_F(NodeWithACertificateOfADay, AsksUntilAuthAnswers) {
  clock_.ahead_s = 13 * 3600;
  failures_ = 3;
  run_until([this] { return identity_->current() != first_; });
  EXPECT_NE(identity_->current(), first_);
  EXPECT_EQ(asked_, 4);
}

TEST_F(NodeWithACertificateOfADay, DoesNotBecomeAnotherNode) {
  clock_.ahead_s = 13 * 3600;
  answered_id_ = random_uuid();
  run_until([this] { return asked_ >= 2; });
  EXPECT_EQ(identity_->current(), first_);
}

TEST_F(NodeWithACertificateOfADay, EndsWithWhatToDoWhenTheDayIsOver) {
  clock_.ahead_s = 24 * 3600 + 1;
  const std::optional<Result<void>> ended = run_until([] { return false; });
  ASSERT_TRUE(ended.has_value());
  ASSERT_FALSE(*ended);
  EXPECT_EQ(ended->error().code, Errc::kExpired);
  EXPECT_THAT(ended->error().message, HasSubstr("join again"));
  EXPECT_EQ(asked_, 0);
}

}  // namespace
}  // namespace cairn::agent
