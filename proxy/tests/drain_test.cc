// A proxy that is told to stop: what runs goes on, what is new is sent away.
#include <string>

#include <gmock/gmock.h>

#include "proxy/tests/cluster_on_loopback.h"

namespace cairn::proxy {
namespace {

using testing::HasSubstr;
using tunnel::v1::SshResponse;

class Draining : public ClusterOnLoopback {
 protected:
  // From now on; `left_` holds how many sessions were left once it is over.
  void drain(std::chrono::milliseconds limit) {
    asio::co_spawn(loop_, door_->drain(limit), [this](std::exception_ptr escaped, size_t left) {
      or_die()(escaped);
      left_ = left;
    });
  }
  size_t left() {
    loop_.restart();
    while (!left_ && loop_.run_one() > 0) {
    }
    return left_.value();
  }

  std::optional<size_t> left_;
};

TEST_F(Draining, IsOverAtOnceWithoutSessions) {
  const auto node = connect_node(ca_.node("web-1"));
  drain(kPatience);
  EXPECT_EQ(left(), 0u);
}

TEST_F(Draining, LetsASessionEnd) {
  const auto identity = ca_.node("web-1");
  const auto node = connect_node(identity);
  const auto client = ask_for("web-1");
  const auto worker = dial_back(identity, next_dial(*node).dial_id());
  ASSERT_TRUE(is_joined(*worker));
  ASSERT_EQ(answer_to(*client).outcome(), SshResponse::OUTCOME_OK);
  drain(kPatience);
  write(*worker, "still there");
  EXPECT_EQ(read(*client, 11), "still there");
  EXPECT_FALSE(left_.has_value());
  client->close();
  worker->close();
  EXPECT_EQ(left(), 0u);
}

TEST_F(Draining, EndsAtItsLimitAndSaysHowManyAreLeft) {
  const auto identity = ca_.node("web-1");
  const auto node = connect_node(identity);
  const auto client = ask_for("web-1");
  const auto worker = dial_back(identity, next_dial(*node).dial_id());
  ASSERT_EQ(answer_to(*client).outcome(), SshResponse::OUTCOME_OK);
  drain(std::chrono::milliseconds(20));
  EXPECT_EQ(left(), 1u);
}

TEST_F(Draining, StillBringsTheNodeToWhoWaitsForIt) {
  const auto identity = ca_.node("web-1");
  const auto node = connect_node(identity);
  const auto client = ask_for("web-1");
  const std::string dial_id = next_dial(*node).dial_id();
  drain(kPatience);
  const auto worker = dial_back(identity, dial_id);
  EXPECT_TRUE(is_joined(*worker));
  EXPECT_EQ(answer_to(*client).outcome(), SshResponse::OUTCOME_OK);
}

TEST_F(Draining, SendsNewClientsAndAgentsAwayAndIsNotReady) {
  const auto node = connect_node(ca_.node("web-1"));
  const auto waiting = ask_for("web-1");
  next_dial(*node);
  EXPECT_THAT(page("/readyz"), HasSubstr("200 OK"));
  drain(kPatience);
  const auto client = ask_for("web-1");
  const SshResponse response = answer_to(*client);
  EXPECT_EQ(response.outcome(), SshResponse::OUTCOME_DRAINING);
  EXPECT_THAT(response.message(), HasSubstr("use another one"));
  EXPECT_THAT(page("/readyz"), HasSubstr("503"));
  EXPECT_THAT(page("/healthz"), HasSubstr("200 OK"));
  auto other = run(connect(ca_.node("web-2"), tunnel::Alpn::kTunnel));
  ASSERT_TRUE(other.has_value());
  EXPECT_EQ(read(**other, 100), "");
}

TEST_F(Draining, SendsAgentsElsewhere) {
  const auto node = connect_node(ca_.node("web-1"));
  drain(kPatience);
  EXPECT_EQ(left(), 0u);
  EXPECT_EQ(read(*node, 100), "");
}

}  // namespace
}  // namespace cairn::proxy
