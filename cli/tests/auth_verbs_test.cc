#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/tests/fake_auth.h"
#include "cli/tests/run_program.h"
#include "cli/tests/test_recording.h"

namespace cairn::cli {
namespace {

using auth::v1::Request;
using auth::v1::Response;
using testing::HasSubstr;
using testing::StartsWith;
using testing_support::FakeAuth;
using testing_support::make_recording;
using testing_support::Ran;
using testing_support::run_program;
using testing_support::TemporaryFolder;

// The program against answers of auth that a test makes up.
class AskingAuth : public testing::Test {
 protected:
  Ran cairn(std::vector<std::string> words, FakeAuth::Answer answer, const std::string& input = "") {
    const std::string socket = folder_.path() / "auth.sock";
    std::filesystem::remove(socket);
    words.insert(words.begin(), {CAIRN_BINARY, "--auth-socket", socket});
    FakeAuth auth(socket, std::move(answer));
    Ran ran = run_program(words, {"CAIRN_HOME=" + (folder_.path() / "home").string()}, input);
    requests_ = auth.finish();
    return ran;
  }
  static Response done(const Request&) {
    Response response;
    response.mutable_done();
    return response;
  }
  TemporaryFolder folder_;
  std::vector<Request> requests_;
};

Response two_nodes(const Request&) {
  Response response;
  for (const bool is_online : {true, false}) {
    auth::v1::Node& node = *response.mutable_list_nodes()->add_nodes();
    node.set_name(is_online ? "web-1" : "db-1");
    node.set_online(is_online);
    node.set_ssh_host_key("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9WDQEcdIIHyLTnlIWRJtLIWBQ3jMCBDsqGNZ0jhTrz comment");
  }
  return response;
}

TEST_F(AskingAuth, ListsReachableNodesOrAll) {
  EXPECT_EQ(nlohmann::json::parse(cairn({"ls", "--format=json"}, two_nodes).out).size(), 1u);
  EXPECT_EQ(nlohmann::json::parse(cairn({"nodes", "ls", "--format=json"}, two_nodes).out).size(), 2u);
  const Ran table = cairn({"nodes", "ls"}, two_nodes);
  EXPECT_THAT(table.out, HasSubstr("NAME   STATE    LABELS  CAPTURE  VERSION  LAST SEEN  ID\n"));
  EXPECT_THAT(table.out, HasSubstr("db-1   offline  -       none"));
}

TEST_F(AskingAuth, PassesOnAuthsSentenceAndItsKind) {
  const Ran ran = cairn({"nodes", "rm", "web-9"}, [](const Request&) {
    Response response;
    response.mutable_error()->set_code(auth::v1::ERROR_CODE_NOT_FOUND);
    response.mutable_error()->set_message("no node is called \"web-9\"");
    return response;
  });
  EXPECT_EQ(ran.exit_code, 5);
  EXPECT_EQ(ran.err, "cairn: no node is called \"web-9\"\n");
}

TEST_F(AskingAuth, PrintsKnownHostsLines) {
  const Ran ran = cairn({"known-hosts", "[web-1]:2222"}, [](const Request& request) {
    Response response = two_nodes(request);
    response.mutable_list_nodes()->mutable_nodes()->RemoveLast();
    return response;
  });
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "[web-1]:2222 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9WDQEcdIIHyLTnlIWRJtLIWBQ3jMCBDsqGNZ0jhTrz\n");
  EXPECT_EQ(requests_.at(0).list_nodes().name(), "web-1");
}

TEST_F(AskingAuth, KnowsNoKeyOfAnUnknownNode) {
  const Ran ran = cairn({"known-hosts", "nowhere"}, [](const Request&) {
    Response response;
    response.mutable_list_nodes();
    return response;
  });
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("no host key is known for \"nowhere\""));
}

TEST_F(AskingAuth, RefusesPatternsAsHosts) {
  EXPECT_EQ(cairn({"known-hosts", "*"}, two_nodes).exit_code, 2);
  EXPECT_EQ(cairn({"known-hosts", "a,b"}, two_nodes).exit_code, 2);
}

Response created_token(const Request& request) {
  Response response;
  response.mutable_create_token()->set_secret("s3cret");
  response.mutable_create_token()->set_ca_pin("sha256:00ff");
  response.mutable_create_token()->mutable_token()->set_type(request.create_token().type());
  response.mutable_create_token()->mutable_token()->set_uses_left(request.create_token().uses());
  return response;
}

TEST_F(AskingAuth, MakesATokenAndSaysHowToUseIt) {
  const Ran ran = cairn({"tokens", "add", "--type=node", "--ttl=1h", "--labels=env=prod,rack=7"}, created_token);
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("\n  cairn-agent --proxy-address PROXY:3080 --token s3cret --ca-pin sha256:00ff\n"));
  const auth::v1::CreateTokenRequest& request = requests_.at(0).create_token();
  EXPECT_EQ(request.type(), auth::v1::TOKEN_TYPE_NODE);
  EXPECT_EQ(request.ttl_s(), 3600u);
  EXPECT_EQ(request.uses(), 1u);
  EXPECT_EQ(request.labels().at("rack"), "7");
  const Ran json = cairn({"tokens", "add", "--type=proxy", "--format=json"}, created_token);
  EXPECT_EQ(nlohmann::json::parse(json.out)["secret"], "s3cret");
}

TEST_F(AskingAuth, SendsAUserWithRolesAndPassword) {
  const Ran ran = cairn({"users", "add", "alice", "--roles=ops,audit", "--password-stdin"}, done, "horse\n");
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "Wrote user alice\n");
  EXPECT_EQ(requests_.at(0).put_user().roles_size(), 2);
  EXPECT_EQ(requests_.at(0).put_user().password(), "horse");
}

TEST_F(AskingAuth, SendsBothPasswordsForOnesOwn) {
  const Ran ran = cairn({"users", "passwd", "--password-stdin"}, done, "old\nnew\n");
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(requests_.at(0).set_password().old_password(), "old");
  EXPECT_EQ(requests_.at(0).set_password().password(), "new");
}

TEST_F(AskingAuth, SendsARole) {
  const Ran ran = cairn({"roles", "add", "ops", "--logins=root,deploy", "--node-labels=*=*", "--verbs=audit"}, done);
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  const auth::v1::Role& role = requests_.at(0).put_role().role();
  EXPECT_EQ(role.logins_size(), 2);
  EXPECT_EQ(role.node_labels().at("*"), "*");
  EXPECT_EQ(role.verbs(0), "audit");
}

// Ids 1, 2, 3, in pages of one.
Response page_of_events(const Request& request) {
  Response response;
  const int page = request.search_audit().page_token().empty() ? 1 : std::stoi(request.search_audit().page_token());
  response.mutable_search_audit()->add_events()->set_id(static_cast<uint64_t>(page));
  if (page < 3) response.mutable_search_audit()->set_next_page_token(std::to_string(page + 1));
  return response;
}

TEST_F(AskingAuth, SearchesOnePageOrAll) {
  const Ran one = cairn({"audit", "search", "--format=json", "--limit=1"}, page_of_events);
  EXPECT_EQ(nlohmann::json::parse(one.out).size(), 1u);
  EXPECT_THAT(one.err, HasSubstr("--limit or --all shows more"));
  const Ran all = cairn({"audit", "search", "--format=json", "--limit=1", "--all"}, page_of_events);
  EXPECT_EQ(nlohmann::json::parse(all.out).size(), 3u);
  EXPECT_EQ(all.err, "");
}

TEST_F(AskingAuth, SearchesForWhatItIsTold) {
  cairn({"audit", "search", "--kind=session.", "--kind=user.login", "--user=alice", "--node=web-1", "--session=7c1e",
         "--since=1970-01-02", "--order=oldest"},
        page_of_events);
  const auth::v1::SearchAuditRequest& request = requests_.at(0).search_audit();
  EXPECT_THAT(request.kinds(), testing::ElementsAre("session.", "user.login"));
  EXPECT_EQ(request.user(), "alice");
  EXPECT_EQ(request.node(), "web-1");
  EXPECT_EQ(request.session_id(), "7c1e");
  EXPECT_EQ(request.since_wall_s(), 86400);
  EXPECT_TRUE(request.ascending());
}

// A recording at auth, given in small pieces.
FakeAuth::Answer recording_at_auth(std::string bytes, bool is_complete) {
  return [bytes = std::move(bytes), is_complete](const Request& request) {
    constexpr size_t kPiece = 50;
    Response response;
    auth::v1::ReadRecordingResponse& read = *response.mutable_read_recording();
    read.set_session_id(testing_support::kSessionId);
    read.set_size(bytes.size());
    read.set_complete(is_complete);
    const size_t offset = std::min<size_t>(request.read_recording().offset(), bytes.size());
    read.set_data(bytes.substr(offset, std::min<size_t>(request.read_recording().limit(), kPiece)));
    return response;
  };
}

TEST_F(AskingAuth, PlaysASessionByTheBeginningOfItsId) {
  const Ran ran = cairn({"play", "7c1e", "--events=none"}, recording_at_auth(make_recording().whole(), true));
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "the beginning\r\nthe end\r\n");
  EXPECT_EQ(requests_.front().read_recording().session_id(), "7c1e");
  EXPECT_EQ(requests_.back().read_recording().session_id(), testing_support::kSessionId);
}

TEST_F(AskingAuth, PlaysWhatIsThereOfALiveSession) {
  const Ran ran = cairn({"play", "7c1e", "--events=none"}, recording_at_auth(make_recording().first, false));
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(ran.out, "the beginning\r\n");
  EXPECT_THAT(ran.err, HasSubstr("is still live; this was all so far, --follow waits for more"));
}

TEST_F(AskingAuth, FollowsALiveSessionToItsEnd) {
  const auto recording = make_recording();
  auto asked_at_the_edge = std::make_shared<int>(0);
  const Ran ran = cairn({"play", "7c1e", "--events=none", "--follow"}, [=](const Request& request) {
    if (request.read_recording().offset() >= recording.first.size()) ++*asked_at_the_edge;
    const bool has_ended = *asked_at_the_edge > 2;
    return recording_at_auth(has_ended ? recording.whole() : recording.first, has_ended)(request);
  });
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "the beginning\r\nthe end\r\n");
}

TEST_F(AskingAuth, SaysWhenARecordingAtAuthIsCut) {
  const Ran ran = cairn({"play", "7c1e"}, recording_at_auth(make_recording().first, true));
  EXPECT_EQ(ran.exit_code, 3);
  EXPECT_THAT(ran.err, StartsWith("cairn: session 7c1e9d2a-1111-4222-8333-444455556666 is cut off: "));
}

}  // namespace
}  // namespace cairn::cli
