#include <gmock/gmock.h>

#include "auth/tests/recording_fixture.h"

namespace cairn::auth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Sessions : public testing::Test {
 protected:
  v1::Response list(const Subject& who, const std::string& user = "") {
    v1::Request request;
    request.mutable_list_sessions()->set_user(user);
    return archive_.ask(who, request);
  }
  v1::Response read(const Subject& who, const std::string& session, uint64_t offset = 0) {
    v1::Request request;
    request.mutable_read_recording()->set_session_id(session);
    request.mutable_read_recording()->set_offset(offset);
    return archive_.ask(who, request);
  }
  v1::Response authorize(const std::string& certificate, const std::string& login) {
    v1::Request request;
    request.mutable_authorize_session()->set_session_id(random_uuid());
    request.mutable_authorize_session()->set_login(login);
    request.mutable_authorize_session()->set_ssh_certificate(certificate);
    request.mutable_authorize_session()->set_recording_key(archive_.signing_key.public_bytes());
    return archive_.ask(archive_.node, request);
  }

  Archive archive_;
  const Subject alice_ = Auth::user("alice");
};

TEST_F(Sessions, AreGrantedOnRecord) {
  const std::vector<AuditEvent> starts = archive_.audit("session.start");
  ASSERT_EQ(starts.size(), 1U);
  EXPECT_EQ(starts[0].user(), "alice");
  EXPECT_EQ(starts[0].node_name(), "web-1");
  EXPECT_EQ(starts[0].session_id(), archive_.recording.session_id);
  EXPECT_EQ(starts[0].fields().at("login"), "deploy");
  EXPECT_EQ(starts[0].fields().at("client_address"), "192.0.2.7:5000");
}

TEST_F(Sessions, AreDeniedOnRecordWithTheReason) {
  const v1::Response response = archive_.authorize_session(archive_.node, random_uuid(), "alice", "root");
  EXPECT_EQ(response.error().code(), v1::ERROR_CODE_DENIED);
  EXPECT_THAT(response.error().message(), HasSubstr("alice may not log in as root on web-1"));
  const std::vector<AuditEvent> denials = archive_.audit("session.denied");
  ASSERT_EQ(denials.size(), 1U);
  EXPECT_EQ(denials[0].user(), "alice");
  EXPECT_FALSE(denials[0].success());
  EXPECT_EQ(denials[0].message(), response.error().message());
  EXPECT_EQ(list(alice_).list_sessions().sessions_size(), 1) << "the granted one alone";
}

TEST_F(Sessions, AreNotGrantedForACertificateThatAuthHasNotSigned) {
  EXPECT_EQ(authorize("nonsense", "deploy").error().code(), v1::ERROR_CODE_DENIED);
  std::string certificate = archive_.ssh_certificate("alice", {"deploy"});
  certificate.back() = static_cast<char>(certificate.back() ^ 1);
  EXPECT_THAT(authorize(certificate, "deploy").error().message(), HasSubstr("signature is wrong"));
  const std::string old = archive_.ssh_certificate("alice", {"deploy"});
  archive_.clock.advance_s(3601);
  EXPECT_THAT(authorize(old, "deploy").error().message(), HasSubstr("run \"cairn login\""));
  EXPECT_EQ(archive_.audit("session.denied").size(), 3U);
}

TEST_F(Sessions, AreNotGrantedToWhoWasRemoved) {
  const std::string certificate = archive_.ssh_certificate("alice", {"deploy"});
  ASSERT_TRUE(archive_.store->delete_user("alice", {}));
  EXPECT_THAT(authorize(certificate, "deploy").error().message(), HasSubstr("has been removed"));
}

TEST_F(Sessions, AreNotGrantedTwice) {
  const v1::Response again =
      archive_.authorize_session(archive_.node, archive_.recording.session_id, "alice", "deploy");
  EXPECT_EQ(again.error().code(), v1::ERROR_CODE_ALREADY_EXISTS);
}

TEST_F(Sessions, AreListedToTheirOwnerAndToAuditors) {
  archive_.put_user("bob", {"ops"});
  archive_.put_user("rita", {"auditor"});
  EXPECT_EQ(list(alice_).list_sessions().sessions_size(), 1);
  EXPECT_EQ(list(Auth::user("bob")).list_sessions().sessions_size(), 0);
  EXPECT_EQ(list(Auth::user("bob"), "alice").error().code(), v1::ERROR_CODE_DENIED);
  EXPECT_EQ(list(Auth::user("rita")).list_sessions().sessions_size(), 1);
  EXPECT_EQ(list(Auth::user("rita"), "alice").list_sessions().sessions_size(), 1);
  EXPECT_EQ(list(archive_.node).error().code(), v1::ERROR_CODE_DENIED);
}

TEST_F(Sessions, ShowWhatHasArrivedWhileTheyLive) {
  const std::vector<std::string> chunks = archive_.recording.chunks();
  ASSERT_TRUE(archive_.upload(0, chunks[0]));
  ASSERT_TRUE(archive_.upload(1, chunks[1]));
  const v1::Response response = list(alice_);
  const v1::Session& session = response.list_sessions().sessions(0);
  EXPECT_EQ(session.recording_chunks(), 2U);
  EXPECT_EQ(session.recording_bytes(), chunks[0].size() + chunks[1].size());
  EXPECT_EQ(session.end_wall_s(), 0);
  EXPECT_EQ(session.command(), "uptime");
}

TEST_F(Sessions, ThatNeverBeganAreNotListedForLong) {
  archive_.clock.advance_s(301);
  EXPECT_EQ(list(alice_).list_sessions().sessions_size(), 0);
  ASSERT_TRUE(archive_.upload(0, archive_.recording.chunks()[0])) << "a node that was cut off for so long";
  EXPECT_EQ(list(alice_).list_sessions().sessions_size(), 1);
}

TEST_F(Sessions, AreReadByTheBeginningOfTheirIdAndOncePerConnectionOnRecord) {
  const std::vector<std::string> chunks = archive_.recording.chunks();
  ASSERT_TRUE(archive_.upload(0, chunks[0]));
  const v1::Response response = read(alice_, archive_.recording.session_id.substr(0, 8));
  ASSERT_TRUE(response.has_read_recording()) << response.error().message();
  EXPECT_EQ(response.read_recording().session_id(), archive_.recording.session_id);
  EXPECT_EQ(response.read_recording().data(), chunks[0]);
  EXPECT_EQ(response.read_recording().size(), chunks[0].size());
  EXPECT_FALSE(response.read_recording().complete());
  EXPECT_EQ(read(alice_, archive_.recording.session_id, chunks[0].size()).read_recording().data(), "");
  const std::vector<AuditEvent> reads = archive_.audit("recording.read");
  ASSERT_EQ(reads.size(), 1U);
  EXPECT_EQ(reads[0].user(), "alice");
}

TEST_F(Sessions, AreReadByNobodyElseWithoutTheVerb) {
  archive_.put_user("bob", {"ops"});
  EXPECT_EQ(read(Auth::user("bob"), archive_.recording.session_id).error().code(), v1::ERROR_CODE_DENIED);
  EXPECT_EQ(archive_.audit("recording.read").size(), 0U);
  EXPECT_EQ(read(alice_, "00000000-0000-4000-8000-000000000000").error().code(), v1::ERROR_CODE_NOT_FOUND);
  EXPECT_EQ(read(alice_, "abc").error().code(), v1::ERROR_CODE_INVALID);
  EXPECT_EQ(read(alice_, "%%%%").error().code(), v1::ERROR_CODE_INVALID);
}

TEST_F(Sessions, OfARemovedNodeHaveEnded) {
  ASSERT_TRUE(archive_.upload(0, archive_.recording.chunks()[0]));
  v1::Request request;
  request.mutable_delete_node()->set_node("web-1");
  ASSERT_TRUE(archive_.as_root(request).has_done());
  EXPECT_TRUE(read(alice_, archive_.recording.session_id).read_recording().complete());
  v1::Request upload;
  upload.mutable_open_upload()->set_session_id(archive_.recording.session_id);
  EXPECT_THAT(archive_.ask(archive_.node, upload).error().message(), HasSubstr("join again with a new token"));
}

// ---- nodes

TEST_F(Sessions, NodesAreListedToWhoReachesThem) {
  archive_.new_node("test-1", {}, {{"env", "test"}});
  archive_.put_role("testers", {"deploy"}, {{"env", "test"}});
  archive_.put_user("tom", {"testers"});
  archive_.put_user("nina", {});
  const auto names = [&](const Subject& who, const std::string& name = "") {
    v1::Request request;
    request.mutable_list_nodes()->set_name(name);
    std::vector<std::string> found;
    const v1::Response response = archive_.ask(who, request);
    for (const v1::Node& node : response.list_nodes().nodes()) found.push_back(node.name());
    return found;
  };
  EXPECT_THAT(names(alice_), ElementsAre("test-1", "web-1"));
  EXPECT_THAT(names(Auth::user("tom")), ElementsAre("test-1"));
  EXPECT_THAT(names(Auth::user("tom"), "web-1"), testing::IsEmpty());
  EXPECT_THAT(names(Auth::user("nina")), testing::IsEmpty());
  EXPECT_THAT(names(alice_, archive_.node.id), ElementsAre("web-1"));
  EXPECT_THAT(names(Auth::root()), ElementsAre("test-1", "web-1"));
}

TEST_F(Sessions, NodesRenewWithANewKeyAndKeepTheirName) {
  v1::Request request;
  request.mutable_renew()->set_tls_public_key(tunnel::generate_tls_key()->public_der);
  const v1::Response response = archive_.ask(archive_.node, request);
  ASSERT_TRUE(response.has_renew()) << response.error().message();
  const auto certificate = tunnel::parse_certificate(response.renew().certificate()).value();
  const tunnel::Peer peer = tunnel::peer_of(certificate.get()).value();
  EXPECT_EQ(peer.id, archive_.node.id);
  EXPECT_EQ(peer.name, "web-1");
  EXPECT_EQ(archive_.audit("node.renew").size(), 1U);
  EXPECT_EQ(archive_.ask(alice_, request).error().code(), v1::ERROR_CODE_DENIED);
}

TEST_F(Sessions, NodesWriteEventsOfTheirOwnIntoTheAuditLog) {
  const auto append = [&](const std::string& kind, const std::string& session = "") {
    v1::Request request;
    audit::v1::AuditEvent& event = *request.mutable_append_audit()->mutable_event();
    event.set_kind(kind);
    event.set_node_name("somebody else");
    event.set_wall_ns(1);
    event.set_session_id(session);
    return archive_.ask(archive_.node, request);
  };
  ASSERT_TRUE(append("capture.refused").has_done());
  const std::vector<AuditEvent> written = archive_.audit("capture.refused");
  EXPECT_EQ(written.at(0).node_name(), "web-1");
  EXPECT_EQ(written.at(0).wall_ns(), archive_.clock.wall_ns());
  EXPECT_TRUE(append("session.denied").has_done());
  for (const char* forged : {"user.login", "session.start", "session.end", "token.create"})
    EXPECT_EQ(append(forged).error().code(), v1::ERROR_CODE_DENIED) << forged;
  for (const char* malformed : {"", "session.", "Session.x", "session.x.y"})
    EXPECT_TRUE(append(malformed).has_error()) << malformed;
  const Subject other = archive_.new_node("web-2");
  v1::Request foreign;
  foreign.mutable_append_audit()->mutable_event()->set_kind("session.note");
  foreign.mutable_append_audit()->mutable_event()->set_session_id(archive_.recording.session_id);
  EXPECT_EQ(archive_.ask(other, foreign).error().code(), v1::ERROR_CODE_DENIED);
}

TEST_F(Sessions, TwinsAreRemovedByUuid) {
  const Subject twin = archive_.new_node("web-1");
  v1::Request request;
  request.mutable_delete_node()->set_node("web-1");
  EXPECT_THAT(archive_.as_root(request).error().message(), HasSubstr(twin.id));
  request.mutable_delete_node()->set_node(twin.id);
  EXPECT_TRUE(archive_.as_root(request).has_done());
  EXPECT_EQ(archive_.audit("node.delete").at(0).node_id(), twin.id);
  request.mutable_delete_node()->set_node("web-9");
  EXPECT_EQ(archive_.as_root(request).error().code(), v1::ERROR_CODE_NOT_FOUND);
}

}  // namespace
}  // namespace cairn::auth
