// How a proxy gets into its cluster and stays in it.
#include "proxy/membership.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>

#include "base/bytes.h"
#include "proxy/tests/cluster_on_loopback.h"

namespace cairn::proxy {
namespace {

using testing::HasSubstr;
using testing_support::TestCa;
using tunnel::Role;

class MembershipOnLoopback : public testing::Test {
 protected:
  MembershipOnLoopback() : auth_(loop_.get_executor(), ca_.auth()) {
    std::string pattern = (std::filesystem::temp_directory_path() / "cairn-proxy.XXXXXX").string();
    options_.data_dir = ::mkdtemp(pattern.data());
    options_.auth = auth_.address();
    options_.token = "secret";
    options_.ca_pin = ca_.pin();
    options_.name = "proxy-1";
    auth_.on_enroll = [this](const enroll::v1::EnrollRequest& request) { return admit(request, Role::kProxy); };
    asio::co_spawn(loop_, auth_.serve(), or_die());
  }
  ~MembershipOnLoopback() override { std::filesystem::remove_all(options_.data_dir); }

  enroll::v1::EnrollResponse admit(const enroll::v1::EnrollRequest& request, Role role) {
    token_ = request.join().token();
    enroll::v1::EnrollResponse response;
    response.mutable_join()->set_id(id_);
    response.mutable_join()->set_certificate(ca_.certificate(
        {.role = role, .id = id_, .name = request.join().name(), .not_before_s = -60, .not_after_s = certificate_s_},
        request.join().tls_public_key()));
    *response.mutable_join()->mutable_authorities() = ca_.authorities();
    return response;
  }
  Result<void> begin() {
    Membership membership(&options_, &clock_, &log_, times_);
    const Result<void> begun = testing_support::run_in_loop(loop_, membership.begin());
    identity_ = membership.identity();
    return begun;
  }

  TestCa ca_;
  asio::io_context loop_;
  FakeAuth auth_;
  ProxyOptions options_;
  const SystemClock clock_;
  const Log log_{"cairn-proxy", LogLevel::kError};
  MembershipTimes times_{.first_retry = std::chrono::milliseconds(1),
                         .last_retry = std::chrono::milliseconds(1),
                         .look = std::chrono::milliseconds(1)};
  std::shared_ptr<const tunnel::Identity> identity_;
  const std::string id_ = random_uuid();
  std::string token_;
  int64_t certificate_s_ = 3600;
};

TEST_F(MembershipOnLoopback, JoinsWithATokenAndKeepsItsIdentity) {
  const Result<void> begun = begin();
  ASSERT_TRUE(begun.has_value()) << begun.error().message;
  EXPECT_EQ(token_, "secret");
  EXPECT_EQ(identity_->self.id, id_);
  EXPECT_EQ(identity_->self.name, "proxy-1");
  EXPECT_EQ(tunnel::load_identity(options_.data_dir)->self.id, id_);
}

TEST_F(MembershipOnLoopback, NeedsNeitherAuthNorTokenOnceJoined) {
  ASSERT_TRUE(begin().has_value());
  const int connections = auth_.connections;
  auth_.close();
  options_.token.clear();
  options_.ca_pin.clear();
  const Result<void> again = begin();
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(identity_->self.id, id_);
  EXPECT_EQ(auth_.connections, connections);
}

TEST_F(MembershipOnLoopback, RefusesToJoinWithoutAPin) {
  options_.ca_pin.clear();
  const Result<void> begun = begin();
  ASSERT_FALSE(begun.has_value());
  EXPECT_THAT(begun.error().message, HasSubstr("--ca-pin"));
  EXPECT_EQ(auth_.connections, 0);
}

TEST_F(MembershipOnLoopback, JoinsWithoutAPinWhenToldSo) {
  options_.ca_pin.clear();
  options_.is_pin_waived = true;
  EXPECT_TRUE(begin().has_value());
}

TEST_F(MembershipOnLoopback, RefusesAnAuthOfAnotherPin) {
  options_.ca_pin = TestCa("testing").pin();
  const Result<void> begun = begin();
  ASSERT_FALSE(begun.has_value());
  EXPECT_THAT(begun.error().message, HasSubstr("CA pin mismatch"));
  EXPECT_EQ(token_, "");
}

TEST_F(MembershipOnLoopback, NeedsATokenToJoin) {
  options_.token.clear();
  const Result<void> begun = begin();
  ASSERT_FALSE(begun.has_value());
  EXPECT_THAT(begun.error().message, HasSubstr("cairn tokens add --type=proxy"));
}

TEST_F(MembershipOnLoopback, EndsWhenAuthRefusesTheToken) {
  auth_.on_enroll = [](const enroll::v1::EnrollRequest&) {
    enroll::v1::EnrollResponse response;
    response.mutable_error()->set_message("token expired 4 min ago");
    return response;
  };
  const Result<void> begun = begin();
  ASSERT_FALSE(begun.has_value());
  EXPECT_THAT(begun.error().message, HasSubstr("token expired 4 min ago"));
}

TEST_F(MembershipOnLoopback, RefusesACertificateThatIsNoProxys) {
  auth_.on_enroll = [this](const enroll::v1::EnrollRequest& request) { return admit(request, Role::kNode); };
  const Result<void> begun = begin();
  ASSERT_FALSE(begun.has_value());
  EXPECT_THAT(begun.error().message, HasSubstr("the token is for a node"));
  EXPECT_FALSE(tunnel::load_identity(options_.data_dir).has_value());
}

TEST_F(MembershipOnLoopback, TriesAgainWhileAuthDoesNotAnswer) {
  auth_.hang_ups = 2;
  const Result<void> begun = begin();
  ASSERT_TRUE(begun.has_value()) << begun.error().message;
  EXPECT_EQ(auth_.connections, 3);
}

TEST_F(MembershipOnLoopback, NamesADamagedIdentity) {
  ASSERT_TRUE(begin().has_value());
  std::ofstream(options_.data_dir / "identity.pem") << "nonsense";
  const Result<void> again = begin();
  ASSERT_FALSE(again.has_value());
  EXPECT_THAT(again.error().message, HasSubstr((options_.data_dir / "identity.pem").string()));
}

TEST_F(MembershipOnLoopback, SaysThatAnExpiredIdentityNeedsAToken) {
  certificate_s_ = -10;
  ASSERT_TRUE(begin().has_value());
  options_.token.clear();
  const Result<void> again = begin();
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, Errc::kExpired);
  EXPECT_THAT(again.error().message, HasSubstr("expired at"));
}

TEST_F(MembershipOnLoopback, RenewsAtHalfOfTheValidity) {
  certificate_s_ = 30;  // of 90 s, 60 are over
  Membership membership(&options_, &clock_, &log_, times_);
  ASSERT_TRUE(testing_support::run_in_loop(loop_, membership.begin()).has_value());
  const int64_t first_end_s = membership.identity()->not_after_s;
  auth_.on_request = [this](const tunnel::Peer& peer, const auth::v1::Request& request) {
    EXPECT_EQ(peer.id, id_);
    auth::v1::Response response;
    response.mutable_renew()->set_certificate(
        ca_.certificate({.role = Role::kProxy, .id = id_, .name = "proxy-1"}, request.renew().tls_public_key()));
    *response.mutable_renew()->mutable_authorities() = ca_.authorities();
    return response;
  };
  std::shared_ptr<const tunnel::Identity> renewed;
  asio::co_spawn(loop_, membership.keep_valid([&](auto identity) { renewed = std::move(identity); }), or_die());
  loop_.restart();
  while (!renewed && loop_.run_one() > 0) {
  }
  ASSERT_NE(renewed, nullptr);
  EXPECT_GT(renewed->not_after_s, first_end_s);
  EXPECT_EQ(tunnel::load_identity(options_.data_dir)->certificate_pem, renewed->certificate_pem);
}

}  // namespace
}  // namespace cairn::proxy
