#include <gmock/gmock.h>

#include "auth/tests/auth_fixture.h"

namespace cairn::auth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class People : public testing::Test {
 protected:
  People() { auth_.put_user("alice", {"access"}, "correct horse"); }

  enroll::v1::EnrollResponse log_in(const std::string& name, const std::string& password, uint32_t ttl_s = 0) {
    enroll::v1::EnrollRequest request;
    request.mutable_login()->set_user(name);
    request.mutable_login()->set_password(password);
    request.mutable_login()->set_tls_public_key(tunnel::generate_tls_key()->public_der);
    request.mutable_login()->set_ssh_public_key(kUserKey);
    request.mutable_login()->set_ttl_s(ttl_s);
    return auth_.enrolment->answer(request);
  }
  v1::Response set_password(const Subject& who, const std::string& password, const std::string& old,
                            const std::string& target = "") {
    v1::Request request;
    request.mutable_set_password()->set_user(target);
    request.mutable_set_password()->set_password(password);
    request.mutable_set_password()->set_old_password(old);
    return auth_.ask(who, request);
  }

  Auth auth_;
  const Subject alice_ = Auth::user("alice");
};

TEST_F(People, LogInAndGetBothCertificates) {
  auth_.put_role("ops", {"deploy", "backup"}, {{"*", "*"}});
  auth_.put_user("alice", {"access", "ops"});
  const enroll::v1::EnrollResponse response = log_in("alice", "correct horse");
  ASSERT_TRUE(response.has_login()) << response.error().message();
  const enroll::v1::LoginResponse& login = response.login();
  EXPECT_THAT(login.logins(), ElementsAre("backup", "deploy"));
  EXPECT_EQ(login.expires_wall_s(), auth_.clock.wall_s() + 12 * 3600);
  const auto certificate = tunnel::parse_certificate(login.certificate()).value();
  const tunnel::Peer peer = tunnel::peer_of(certificate.get()).value();
  EXPECT_EQ(peer.role, tunnel::Role::kUser);
  EXPECT_EQ(peer.id, "alice");
  EXPECT_EQ(peer.cluster, "testing");
  const auto view = parse_ssh_certificate(parse_ssh_public_key(login.ssh_certificate())->blob).value();
  EXPECT_EQ(view.key_id, "alice");
  EXPECT_THAT(view.principals, ElementsAre("backup", "deploy"));
  EXPECT_EQ(auth_.audit("user.login").size(), 1U);
}

TEST_F(People, WithoutLoginsGetACertificateThatIsGoodForNoAccount) {
  const enroll::v1::LoginResponse login = log_in("alice", "correct horse").login();
  EXPECT_EQ(login.logins_size(), 0);
  const auto view = parse_ssh_certificate(parse_ssh_public_key(login.ssh_certificate())->blob).value();
  EXPECT_THAT(view.principals, ElementsAre("-cairn-no-login"));
}

TEST_F(People, AskForLessTimeButNeverGetMore) {
  EXPECT_EQ(log_in("alice", "correct horse", 60).login().expires_wall_s(), auth_.clock.wall_s() + 60);
  EXPECT_EQ(log_in("alice", "correct horse", UINT32_MAX).login().expires_wall_s(), auth_.clock.wall_s() + 12 * 3600);
}

TEST_F(People, AreNotToldWhichOfNameAndPasswordWasWrong) {
  const std::string wrong = log_in("alice", "battery staple").error().message();
  EXPECT_EQ(wrong, "wrong user name or password");
  EXPECT_EQ(log_in("nobody", "correct horse").error().message(), wrong);
  EXPECT_EQ(log_in("../x\n", "correct horse").error().message(), wrong);
  std::vector<std::string> names;
  for (const AuditEvent& event : auth_.audit("user.login_failed")) names.push_back(event.user());
  EXPECT_THAT(names, ElementsAre("alice", "nobody", ""));
}

TEST_F(People, WithoutAPasswordCannotLogIn) {
  auth_.put_user("new", {});
  EXPECT_TRUE(log_in("new", "").has_error());
}

TEST_F(People, AreHeldBackAfterFiveFailures) {
  for (int i = 0; i < 5; ++i) EXPECT_THAT(log_in("alice", "wrong one").error().message(), HasSubstr("wrong"));
  EXPECT_EQ(log_in("alice", "correct horse").error().message(), "too many failed attempts; try again in 10 s");
  auth_.clock.advance_s(10);
  EXPECT_TRUE(log_in("alice", "correct horse").has_login());
  EXPECT_TRUE(log_in("alice", "correct horse").has_login()) << "success forgives";
  EXPECT_EQ(auth_.audit("user.login_failed").size(), 5U);
}

TEST_F(People, ChangeTheirOwnPasswordWithTheOldOne) {
  EXPECT_EQ(set_password(alice_, "another horse", "wrong one").error().message(), "the old password is wrong");
  EXPECT_TRUE(set_password(alice_, "another horse", "correct horse").has_done());
  EXPECT_TRUE(log_in("alice", "another horse").has_login());
  EXPECT_TRUE(log_in("alice", "correct horse").has_error());
  EXPECT_EQ(set_password(alice_, "short", "another horse").error().code(), v1::ERROR_CODE_INVALID);
  EXPECT_EQ(auth_.audit("user.password").size(), 1U);
}

TEST_F(People, ChangeThePasswordsOfOthersOnlyAsAdministrators) {
  auth_.put_user("adam", {"admin"});
  EXPECT_EQ(set_password(alice_, "another horse", "", "adam").error().code(), v1::ERROR_CODE_DENIED);
  EXPECT_TRUE(set_password(Auth::user("adam"), "another horse", "", "alice").has_done());
  EXPECT_TRUE(set_password(Auth::root(), "third horse", "", "alice").has_done());
  EXPECT_TRUE(log_in("alice", "third horse").has_login());
  EXPECT_EQ(set_password(Auth::root(), "third horse", "", "nobody").error().code(), v1::ERROR_CODE_NOT_FOUND);
  EXPECT_EQ(set_password(Auth::root(), "third horse", "").error().code(), v1::ERROR_CODE_INVALID);
}

TEST_F(People, AreOutWithTheNextRequestOnceRemoved) {
  v1::Request status;
  status.mutable_status();
  EXPECT_TRUE(auth_.ask(alice_, status).has_status());
  v1::Request remove;
  remove.mutable_delete_user()->set_name("alice");
  ASSERT_TRUE(auth_.as_root(remove).has_done());
  EXPECT_EQ(auth_.ask(alice_, status).error().code(), v1::ERROR_CODE_DENIED);
  EXPECT_THAT(auth_.ask(alice_, status).error().message(), HasSubstr("has been removed"));
}

TEST_F(People, SeeWhoTheyAre) {
  v1::Request request;
  request.mutable_status();
  const v1::StatusResponse status = auth_.ask(alice_, request).status();
  EXPECT_EQ(status.identity(), "user alice");
  EXPECT_EQ(status.cluster(), "testing");
  EXPECT_THAT(status.roles(), ElementsAre("access"));
  EXPECT_EQ(status.ca_pin(), auth_.authorities->ca_pin());
  EXPECT_EQ(auth_.as_root(request).status().identity(), "root on the auth host");
}

TEST_F(People, AdministerNothingWithoutTheVerb) {
  std::vector<v1::Request> requests(11);
  requests[0].mutable_create_token()->set_type(v1::TOKEN_TYPE_NODE);
  requests[1].mutable_list_tokens();
  requests[2].mutable_delete_token();
  requests[3].mutable_put_user()->set_name("alice");
  requests[4].mutable_list_users();
  requests[5].mutable_delete_user()->set_name("alice");
  requests[6].mutable_put_role();
  requests[7].mutable_list_roles();
  requests[8].mutable_delete_role();
  requests[9].mutable_delete_node();
  requests[10].mutable_search_audit();
  for (const v1::Request& request : requests) {
    const v1::Response response = auth_.ask(alice_, request);
    EXPECT_EQ(response.error().code(), v1::ERROR_CODE_DENIED) << request.DebugString();
    EXPECT_THAT(response.error().message(), HasSubstr("alice may not administer"));
  }
}

TEST_F(People, AreToldOfASlipInAVerb) {
  v1::Request request;
  request.mutable_put_role()->mutable_role()->set_name("x");
  request.mutable_put_role()->mutable_role()->add_verbs("adit");
  EXPECT_EQ(auth_.as_root(request).error().message(),
            "verb \"adit\" is none of tokens, users, nodes, audit, recordings, holds, deletion, retention, keys, *; "
            "did you mean \"audit\"?");
  request.mutable_put_role()->mutable_role()->clear_verbs();
  request.mutable_put_role()->mutable_role()->add_forwards("port");
  EXPECT_EQ(auth_.as_root(request).error().message(),
            "forwarding \"port\" is none of ports, agent, x11; did you mean \"ports\"?");
  request.mutable_put_role()->mutable_role()->clear_forwards();
  request.mutable_put_role()->mutable_role()->add_logins("*");
  EXPECT_THAT(auth_.as_root(request).error().message(), HasSubstr("login"));
}

TEST_F(People, CannotBeCalledRoot) {
  v1::Request request;
  request.mutable_put_user()->set_name("root");
  EXPECT_EQ(auth_.as_root(request).error().code(), v1::ERROR_CODE_INVALID);
}

TEST_F(People, SearchTheAuditLogByWhatTheyLookFor) {
  auth_.put_user("rita", {"auditor"});
  v1::Request request;
  v1::SearchAuditRequest& search = *request.mutable_search_audit();
  search.add_kinds("user.");
  search.set_limit(1);
  const v1::SearchAuditResponse first = auth_.ask(Auth::user("rita"), request).search_audit();
  ASSERT_EQ(first.events_size(), 1);
  EXPECT_EQ(first.events(0).fields().at("target"), "rita");
  EXPECT_EQ(first.events(0).fields().at("by"), "root on the auth host");
  search.set_page_token(first.next_page_token());
  const v1::SearchAuditResponse second = auth_.ask(Auth::user("rita"), request).search_audit();
  EXPECT_EQ(second.events(0).fields().at("target"), "alice");
  EXPECT_EQ(second.next_page_token(), "");
  search.set_page_token("nonsense");
  EXPECT_EQ(auth_.ask(Auth::user("rita"), request).error().code(), v1::ERROR_CODE_INVALID);
  search.clear_page_token();
  search.set_since_wall_s(INT64_MAX);
  EXPECT_EQ(auth_.ask(Auth::user("rita"), request).error().code(), v1::ERROR_CODE_INVALID);
}

TEST_F(People, WithAnEmptyRequestAreToldSo) {
  EXPECT_THAT(auth_.as_root({}).error().message(), HasSubstr("unknown kind of request"));
  EXPECT_THAT(auth_.enrolment->answer({}).error().message(), HasSubstr("unknown kind of enrolment"));
}

}  // namespace
}  // namespace cairn::auth
