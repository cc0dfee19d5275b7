// Whether a node is online, and who says so.
#include <gmock/gmock.h>

#include "auth/tests/recording_fixture.h"

namespace cairn::auth {
namespace {

using testing::HasSubstr;

class NodePresence : public testing::Test {
 protected:
  NodePresence() { proxy_ = join_proxy("proxy-1"); }

  Subject join_proxy(const std::string& name) {
    const auto request = Auth::join_request(archive_.new_token(v1::TOKEN_TYPE_PROXY), name, false);
    const enroll::v1::EnrollResponse response = archive_.enrolment->answer(request);
    EXPECT_TRUE(response.has_join()) << response.error().message();
    return {.kind = Subject::Kind::kProxy, .name = name, .id = response.join().id()};
  }

  static v1::Request report(const std::vector<std::string>& connected, const std::vector<std::string>& gone = {}) {
    v1::Request request;
    v1::ReportPresenceRequest& told = *request.mutable_report_presence();
    told.mutable_connected()->Add(connected.begin(), connected.end());
    told.mutable_gone()->Add(gone.begin(), gone.end());
    return request;
  }

  v1::Response say(const Subject& who, Conversation& connection, const v1::Request& request) {
    return archive_.service->answer(who, request, connection);
  }

  v1::Node web() {
    v1::Request request;
    request.mutable_list_nodes();
    const v1::Response response = archive_.ask(Auth::user("alice"), request);
    EXPECT_EQ(response.list_nodes().nodes_size(), 1) << response.error().message();
    return response.list_nodes().nodes(0);
  }

  Archive archive_;
  const std::string id_ = archive_.node.id;
  Subject proxy_;
};

TEST_F(NodePresence, IsOnlineForAsLongAsAProxyHoldsIt) {
  EXPECT_FALSE(web().online());
  Conversation connection;
  ASSERT_TRUE(say(proxy_, connection, report({id_})).has_done());
  archive_.clock.advance_s(3600);
  EXPECT_TRUE(web().online());
  EXPECT_EQ(web().last_seen_wall_s(), archive_.clock.wall_s());
  ASSERT_TRUE(say(proxy_, connection, report({}, {id_})).has_done());
  archive_.clock.advance_s(60);
  EXPECT_FALSE(web().online());
  EXPECT_EQ(web().last_seen_wall_s(), archive_.clock.wall_s() - 60);
}

TEST_F(NodePresence, EndsWithTheProxysConnection) {
  {
    Conversation connection;
    ASSERT_TRUE(say(proxy_, connection, report({id_})).has_done());
    EXPECT_TRUE(web().online());
  }
  EXPECT_FALSE(web().online());
}

TEST_F(NodePresence, AnotherProxyIsEnough) {
  const Subject other = join_proxy("proxy-2");
  Conversation connection, others;
  ASSERT_TRUE(say(proxy_, connection, report({id_, id_})).has_done());
  ASSERT_TRUE(say(other, others, report({id_})).has_done());
  ASSERT_TRUE(say(proxy_, connection, report({}, {id_, id_})).has_done());
  EXPECT_TRUE(web().online());
  ASSERT_TRUE(say(other, others, report({}, {id_})).has_done());
  EXPECT_FALSE(web().online());
}

TEST_F(NodePresence, AHeartbeatSaysHowANodeIsAndNotThatItIsConnected) {
  v1::Request beat;
  beat.mutable_heartbeat()->set_version("0.1.0");
  beat.mutable_heartbeat()->set_capture_tier("B");
  ASSERT_TRUE(archive_.ask(archive_.node, beat).has_done());
  archive_.clock.advance_s(10);
  EXPECT_FALSE(web().online());
  EXPECT_EQ(web().capture_tier(), "B");
  EXPECT_EQ(web().last_seen_wall_s(), archive_.clock.wall_s() - 10);
}

TEST_F(NodePresence, IsNobodysToReportButAProxys) {
  Conversation connection;
  EXPECT_THAT(say(archive_.node, connection, report({id_})).error().message(), HasSubstr("may not"));
  EXPECT_THAT(say(Auth::root(), connection, report({id_})).error().message(), HasSubstr("only proxies"));
  EXPECT_THAT(say(proxy_, connection, report({"not-a-uuid"})).error().message(), HasSubstr("UUID"));
  EXPECT_FALSE(web().online());
}

TEST_F(NodePresence, ARemovedProxysWordIsWorthNothing) {
  Conversation connection;
  ASSERT_TRUE(say(proxy_, connection, report({id_})).has_done());
  v1::Request remove;
  remove.mutable_delete_node()->set_node(proxy_.id);
  ASSERT_TRUE(archive_.as_root(remove).has_done());
  EXPECT_THAT(say(proxy_, connection, report({})).error().message(), HasSubstr("has been removed"));
  EXPECT_FALSE(web().online());
}

}  // namespace
}  // namespace cairn::auth
