// A client reaches a node that listens on no port: Dial on the control connection, dial-back, join.
#include <string>

#include <gmock/gmock.h>

#include "proxy/tests/cluster_on_loopback.h"

namespace cairn::proxy {
namespace {

using testing::HasSubstr;
using tunnel::Alpn;
using tunnel::v1::SshResponse;

class DialBack : public ClusterOnLoopback {
 protected:
  using ClusterOnLoopback::ClusterOnLoopback;
};

TEST_F(DialBack, JoinsClientAndWorker) {
  const auto identity = ca_.node("web-1");
  const auto node = connect_node(identity);
  const auto client = ask_for("web-1");
  const tunnel::v1::Dial dial = next_dial(*node);
  EXPECT_EQ(dial.dial_id().size(), 16U);
  EXPECT_EQ(dial.lease_ms(), 10'000U);
  EXPECT_THAT(dial.client_address(), HasSubstr("127.0.0.1:"));

  const auto worker = dial_back(identity, dial.dial_id());
  ASSERT_TRUE(is_joined(*worker));
  const SshResponse response = answer_to(*client);
  EXPECT_EQ(response.outcome(), SshResponse::OUTCOME_OK);
  EXPECT_EQ(response.message(), "");

  write(*client, "SSH-2.0-client");
  EXPECT_EQ(read(*worker, 14), "SSH-2.0-client");
  write(*worker, "SSH-2.0-node");
  EXPECT_EQ(read(*client, 12), "SSH-2.0-node");
  EXPECT_THAT(page("/metrics"), HasSubstr("cairn_proxy_relays 1\n"));
}

TEST_F(DialBack, LetsTheAnswerThroughAfterTheClientHasFinished) {
  const auto identity = ca_.node("web-1");
  const auto node = connect_node(identity);
  const auto client = ask_for("web-1");
  const auto worker = dial_back(identity, next_dial(*node).dial_id());
  ASSERT_TRUE(is_joined(*worker));
  ASSERT_EQ(answer_to(*client).outcome(), SshResponse::OUTCOME_OK);

  write(*client, "the whole question");
  ASSERT_TRUE(run(client->finish_writing()).has_value());
  EXPECT_EQ(read(*worker, 1000), "the whole question");  // and its end
  write(*worker, "the whole answer");
  ASSERT_TRUE(run(worker->finish_writing()).has_value());
  EXPECT_EQ(read(*client, 1000), "the whole answer");
  EXPECT_THAT(page("/metrics"), HasSubstr("cairn_proxy_relayed_bytes_total 34\n"));
}

TEST_F(DialBack, FindsANodeByItsUuid) {
  const auto identity = ca_.node("web-1");
  const auto node = connect_node(identity);
  const auto client = ask_for(identity->self.id);
  const auto worker = dial_back(identity, next_dial(*node).dial_id());
  EXPECT_TRUE(is_joined(*worker));
  EXPECT_EQ(answer_to(*client).outcome(), SshResponse::OUTCOME_OK);
}

TEST_F(DialBack, OfAnIdThatWasUsedIsRefused) {
  const auto identity = ca_.node("web-1");
  const auto node = connect_node(identity);
  const auto client = ask_for("web-1");
  const std::string dial_id = next_dial(*node).dial_id();
  const auto worker = dial_back(identity, dial_id);
  ASSERT_TRUE(is_joined(*worker));
  const auto again = dial_back(identity, dial_id);
  EXPECT_FALSE(is_joined(*again));
  EXPECT_EQ(answer_to(*client).outcome(), SshResponse::OUTCOME_OK);
  write(*worker, "still there");
  EXPECT_EQ(read(*client, 11), "still there");
}

TEST_F(DialBack, FromAnotherNodeIsRefusedAndTheRightOneStillJoins) {
  const auto identity = ca_.node("web-1");
  const auto node = connect_node(identity);
  const auto client = ask_for("web-1");
  const std::string dial_id = next_dial(*node).dial_id();
  const auto thief = dial_back(ca_.node("web-1"), dial_id);  // the same name, another UUID
  EXPECT_FALSE(is_joined(*thief));
  const auto worker = dial_back(identity, dial_id);
  EXPECT_TRUE(is_joined(*worker));
  EXPECT_EQ(answer_to(*client).outcome(), SshResponse::OUTCOME_OK);
}

TEST_F(DialBack, WithAMalformedFirstFrameIsClosed) {
  auto worker = run(connect(ca_.node(), Alpn::kDial));
  ASSERT_TRUE(worker.has_value());
  write(**worker, std::string("\xff\xff\xff\xff", 4));
  EXPECT_EQ(read(**worker, 100), "");
}

TEST_F(DialBack, IsRefusedByTheAgentWithItsReason) {
  const auto node = connect_node(ca_.node("web-1"));
  const auto client = ask_for("web-1");
  tunnel::v1::FromAgent refusal;
  refusal.mutable_dial_refused()->set_dial_id(next_dial(*node).dial_id());
  refusal.mutable_dial_refused()->set_reason("the kernel accepts no capture tier");
  ASSERT_TRUE(run(node->write(refusal)).has_value());
  const SshResponse response = answer_to(*client);
  EXPECT_EQ(response.outcome(), SshResponse::OUTCOME_REFUSED);
  EXPECT_EQ(response.message(), "node \"web-1\": the kernel accepts no capture tier");
}

TEST_F(DialBack, CannotBeRefusedByAnotherNode) {
  const auto identity = ca_.node("web-1");
  const auto node = connect_node(identity);
  const auto other = connect_node(ca_.node("web-2"));
  const auto client = ask_for("web-1");
  const std::string dial_id = next_dial(*node).dial_id();
  tunnel::v1::FromAgent refusal;
  refusal.mutable_dial_refused()->set_dial_id(dial_id);
  refusal.mutable_dial_refused()->set_reason("because I say so");
  ASSERT_TRUE(run(other->write(refusal)).has_value());
  const auto worker = dial_back(identity, dial_id);
  EXPECT_TRUE(is_joined(*worker));
  EXPECT_EQ(answer_to(*client).outcome(), SshResponse::OUTCOME_OK);
}

TEST_F(DialBack, ToANodeThatIsNotConnectedFailsByName) {
  const auto client = ask_for("web-7");
  const SshResponse response = answer_to(*client);
  EXPECT_EQ(response.outcome(), SshResponse::OUTCOME_NOT_CONNECTED);
  EXPECT_EQ(response.message(), "node \"web-7\" is not connected");
  EXPECT_EQ(read(*client, 100), "");
}

TEST_F(DialBack, ToANodeThatHasLeftFails) {
  auto node = connect_node(ca_.node("web-1"));
  run([](tunnel::Connection* leaving) -> awaitable<bool> {
    co_await leaving->close_gracefully();
    co_return true;
  }(node.get()));
  const auto client = ask_for("web-1");
  EXPECT_EQ(answer_to(*client).outcome(), SshResponse::OUTCOME_NOT_CONNECTED);
}

TEST_F(DialBack, ToANameOfTwoNodesIsAmbiguous) {
  const auto one = connect_node(ca_.node("web-1"));
  const auto other = connect_node(ca_.node("web-1"));
  const auto client = ask_for("web-1");
  const SshResponse response = answer_to(*client);
  EXPECT_EQ(response.outcome(), SshResponse::OUTCOME_AMBIGUOUS);
  EXPECT_THAT(response.message(), HasSubstr("2 connected nodes are named \"web-1\"; use the UUID"));
}

TEST_F(DialBack, GoesToTheNewestConnectionOfANode) {
  const auto identity = ca_.node("web-1");
  const auto older = connect_node(identity);
  const auto newer = connect_node(identity);
  EXPECT_EQ(read(*older, 100), "");  // the proxy has closed it
  const auto client = ask_for("web-1");
  const auto worker = dial_back(identity, next_dial(*newer).dial_id());
  EXPECT_TRUE(is_joined(*worker));
  EXPECT_EQ(answer_to(*client).outcome(), SshResponse::OUTCOME_OK);
}

TEST_F(DialBack, OfSeveralClientsAtOnceAreNotMixedUp) {
  const auto identity = ca_.node("web-1");
  const auto node = connect_node(identity);
  const auto alice = ask_for("web-1", "alice");
  const std::string for_alice = next_dial(*node).dial_id();
  const auto bob = ask_for("web-1", "bob");
  const std::string for_bob = next_dial(*node).dial_id();
  const auto bobs = dial_back(identity, for_bob);
  const auto alices = dial_back(identity, for_alice);
  ASSERT_TRUE(is_joined(*bobs) && is_joined(*alices));
  answer_to(*alice);
  answer_to(*bob);
  write(*alice, "alice");
  write(*bob, "bob..");
  EXPECT_EQ(read(*alices, 5), "alice");
  EXPECT_EQ(read(*bobs, 5), "bob..");
}

struct Nonsense {
  const char* name;
  std::string frame;
};

class ControlConnection : public ClusterOnLoopback, public testing::WithParamInterface<Nonsense> {};

TEST_P(ControlConnection, ThatBreaksTheProtocolIsClosed) {
  const auto node = connect_node(ca_.node("web-1"));
  write(*node, GetParam().frame);
  EXPECT_EQ(read(*node, 100), "");
  const auto client = ask_for("web-1");
  EXPECT_EQ(answer_to(*client).outcome(), SshResponse::OUTCOME_NOT_CONNECTED);
}

INSTANTIATE_TEST_SUITE_P(Table, ControlConnection,
                         testing::Values(Nonsense{"too_long", std::string("\x00\x01\x00\x01", 4)},
                                         Nonsense{"no_message", std::string("\x00\x00\x00\x02\xff\xff", 6)},
                                         Nonsense{"unknown_type", std::string("\x00\x00\x00\x03\xc2\x3e\x00", 7)},
                                         Nonsense{"second_hello", std::string("\x00\x00\x00\x02\x0a\x00", 6)}),
                         [](const auto& nonsense) { return std::string(nonsense.param.name); });

class ShortLease : public ClusterOnLoopback {
 protected:
  ShortLease() : ClusterOnLoopback({.auth = {}, .dial_lease = std::chrono::milliseconds(50)}) {}
};

TEST_F(ShortLease, EndsTheWaitOfTheClientAndTheIdWithIt) {
  const auto identity = ca_.node("web-1");
  const auto node = connect_node(identity);
  const auto client = ask_for("web-1");
  const tunnel::v1::Dial dial = next_dial(*node);
  EXPECT_EQ(dial.lease_ms(), 50U);
  const SshResponse response = answer_to(*client);
  EXPECT_EQ(response.outcome(), SshResponse::OUTCOME_TIMEOUT);
  EXPECT_THAT(response.message(), HasSubstr("did not dial back in time"));
  const auto late = dial_back(identity, dial.dial_id());
  EXPECT_FALSE(is_joined(*late));
}

}  // namespace
}  // namespace cairn::proxy
