#include <gmock/gmock.h>

#include "auth/tests/auth_fixture.h"
#include "base/file.h"

namespace cairn::auth {
namespace {

using testing::HasSubstr;
using testing::Not;

class JoinToken : public testing::Test {
 protected:
  // "" when the host has joined, else what it is told.
  std::string join(const std::string& token, bool is_node = true) {
    return auth_.enrolment->answer(Auth::join_request(token, "web-1", is_node)).error().message();
  }
  std::vector<std::string> listed() {
    v1::Request request;
    request.mutable_list_tokens();
    const v1::Response response = auth_.as_root(request);
    std::vector<std::string> names;
    for (const v1::Token& token : response.list_tokens().tokens()) names.push_back(token.name());
    return names;
  }

  Auth auth_;
};

TEST_F(JoinToken, GivesAHostItsIdentity) {
  const std::string token = auth_.new_token(v1::TOKEN_TYPE_NODE);
  const enroll::v1::EnrollResponse response = auth_.enrolment->answer(Auth::join_request(token, "web-1"));
  ASSERT_TRUE(response.has_join()) << response.error().message();
  EXPECT_TRUE(is_uuid(response.join().id()));
  EXPECT_EQ(response.join().cluster(), "testing");
  const auto certificate = tunnel::parse_certificate(response.join().certificate()).value();
  const tunnel::Peer peer = tunnel::peer_of(certificate.get()).value();
  EXPECT_EQ(peer.role, tunnel::Role::kNode);
  EXPECT_EQ(peer.id, response.join().id());
  EXPECT_EQ(peer.name, "web-1");
  EXPECT_EQ(response.join().authorities().ssh_user_ca(0), auth_.authorities->ssh_users().public_line());
}

TEST_F(JoinToken, IsKeptAsAHashAndNamedInTheAuditLog) {
  const std::string token = auth_.new_token(v1::TOKEN_TYPE_NODE, 0, "rack-7");
  EXPECT_EQ(token.size(), 43U);
  ASSERT_EQ(join(token), "");
  ASSERT_NE(join("x" + token), "");
  for (const auto& file : std::filesystem::directory_iterator(auth_.folder.path())) {
    if (file.is_regular_file())
      EXPECT_THAT(read_file(file.path(), 1 << 24).value(), Not(HasSubstr(token))) << file.path();
  }
  std::vector<std::string> kinds;
  for (const AuditEvent& event : auth_.audit()) {
    kinds.push_back(event.kind());
    EXPECT_THAT(event.DebugString(), Not(HasSubstr(token)));
  }
  EXPECT_THAT(kinds, testing::ElementsAre("token.create", "token.use", "node.join", "token.refused"));
  EXPECT_EQ(auth_.audit("token.use").at(0).fields().at("token"), "rack-7");
}

TEST_F(JoinToken, ThatIsUnknownIsRefusedWithoutBeingEchoed) {
  const std::string refused = join("nonsense");
  EXPECT_THAT(refused, HasSubstr("unknown join token"));
  EXPECT_THAT(refused, HasSubstr("cairn tokens add"));
  EXPECT_THAT(refused, Not(HasSubstr("nonsense")));
}

TEST_F(JoinToken, ThatExpiredIsRefusedWithItsAge) {
  const std::string token = auth_.new_token(v1::TOKEN_TYPE_NODE, 0, "web");
  auth_.clock.advance_s(30 * 60 - 1);
  EXPECT_EQ(join(token), "");
  auth_.clock.advance_s(1 + 4 * 60);
  EXPECT_EQ(join(token), "token \"web\" expired 4 min ago; ask an admin for \"cairn tokens add --type=node\"");
  EXPECT_THAT(listed(), testing::IsEmpty());
}

TEST_F(JoinToken, ThatIsUsedUpIsRefused) {
  const std::string token = auth_.new_token(v1::TOKEN_TYPE_NODE, 2, "web");
  EXPECT_EQ(join(token), "");
  EXPECT_THAT(listed(), testing::ElementsAre("web"));
  EXPECT_EQ(join(token), "");
  EXPECT_EQ(join(token), "token \"web\" is used up: no uses left; ask an admin for \"cairn tokens add --type=node\"");
  EXPECT_THAT(listed(), testing::IsEmpty());
}

TEST_F(JoinToken, ThatWasRevokedIsUnknown) {
  const std::string token = auth_.new_token(v1::TOKEN_TYPE_NODE, 0, "web");
  v1::Request request;
  request.mutable_delete_token()->set_name("web");
  ASSERT_TRUE(auth_.as_root(request).has_done());
  EXPECT_THAT(join(token), HasSubstr("unknown join token"));
}

TEST_F(JoinToken, OfTheOtherTypeIsRefusedAndNotSpent) {
  const std::string token = auth_.new_token(v1::TOKEN_TYPE_PROXY, 1, "p");
  EXPECT_EQ(join(token),
            "token \"p\" is for joining as a proxy, and this host asked to join as a node; ask an admin for \"cairn "
            "tokens add --type=node\"");
  EXPECT_EQ(join(token, false), "");
}

TEST_F(JoinToken, SurvivesALostAnswer) {
  const std::string token = auth_.new_token(v1::TOKEN_TYPE_NODE, 1);
  const enroll::v1::EnrollRequest request = Auth::join_request(token, "web-1");
  const std::string id = auth_.enrolment->answer(request).join().id();
  EXPECT_EQ(auth_.enrolment->answer(request).join().id(), id);
}

TEST_F(JoinToken, DoesNotExcuseAMalformedHost) {
  const std::string token = auth_.new_token(v1::TOKEN_TYPE_NODE, 1);
  const auto refused = [&](const auto& change) {
    enroll::v1::EnrollRequest request = Auth::join_request(token, "web-1");
    change(*request.mutable_join());
    return auth_.enrolment->answer(request).error().message();
  };
  EXPECT_THAT(refused([](auto& join) { join.set_name("Web 1"); }), HasSubstr("host name \"Web 1\""));
  EXPECT_THAT(refused([](auto& join) { join.set_tls_public_key("x"); }), HasSubstr("TLS public key"));
  EXPECT_THAT(refused([](auto& join) { join.set_ssh_host_key("ssh-ed25519 AAAA"); }), HasSubstr("SSH key"));
  EXPECT_THAT(refused([](auto& join) { (*join.mutable_labels())["a b"] = "c"; }), HasSubstr("label \"a b\""));
  EXPECT_THAT(refused([](auto& join) {
                for (int i = 0; i < 33; ++i) (*join.mutable_labels())[std::to_string(i)] = "x";
              }),
              HasSubstr("33 labels"));
  EXPECT_EQ(join(token), "") << "none of these has used it";
}

TEST_F(JoinToken, NeedsAFreeName) {
  auth_.new_token(v1::TOKEN_TYPE_NODE, 0, "web");
  v1::Request request;
  request.mutable_create_token()->set_type(v1::TOKEN_TYPE_NODE);
  request.mutable_create_token()->set_name("web");
  EXPECT_EQ(auth_.as_root(request).error().code(), v1::ERROR_CODE_ALREADY_EXISTS);
  request.mutable_create_token()->clear_name();
  EXPECT_THAT(auth_.as_root(request).create_token().token().name(), testing::StartsWith("node-"));
  request.mutable_create_token()->set_ttl_s(31 * 86'400);
  EXPECT_EQ(auth_.as_root(request).error().code(), v1::ERROR_CODE_INVALID);
}

}  // namespace
}  // namespace cairn::auth
