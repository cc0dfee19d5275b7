// What a proxy tells auth about the nodes that are connected to it.
#include "proxy/presence.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "proxy/tests/cluster_on_loopback.h"

namespace cairn::proxy {
namespace {

class ProxyPresence : public ClusterOnLoopback {
 protected:
  explicit ProxyPresence(std::chrono::milliseconds renewal = std::chrono::hours(1))
      : presence_(loop_.get_executor(), &door_->agents(),
                  [this] { return tunnel::AuthClient::connect(auth_.address(), ca_.proxy(), soon()); },
                  Log("cairn-proxy", LogLevel::kError),
                  {.gathering = std::chrono::milliseconds(1),
                   .sign_of_life = std::chrono::milliseconds(20),
                   .renewal = renewal,
                   .first_retry = std::chrono::milliseconds(1),
                   .last_retry = std::chrono::milliseconds(1)}) {
    auth_.answers = 1'000'000;
    auth_.on_request = [this](const tunnel::Peer& peer, const auth::v1::Request& request) {
      return note(peer, request);
    };
    asio::co_spawn(loop_, presence_.run(), or_die());
  }

  auth::v1::Response note(const tunnel::Peer& peer, const auth::v1::Request& request) {
    EXPECT_EQ(peer.role, tunnel::Role::kProxy);
    ++reports_;
    for (const std::string& id : request.report_presence().connected()) told_.insert(id);
    for (const std::string& id : request.report_presence().gone()) told_.erase(id);
    auth::v1::Response response;
    response.mutable_done();
    return response;
  }
  template <class Condition> bool comes_true(Condition condition) {
    loop_.restart();
    const Deadline end = soon();
    while (!condition() && std::chrono::steady_clock::now() < end) loop_.run_one_for(std::chrono::milliseconds(10));
    return condition();
  }
  bool comes_to_be_told(const std::set<std::string>& ids) {
    return comes_true([&] { return told_ == ids; });
  }

  const std::shared_ptr<const tunnel::Identity> web_ = ca_.node("web-1");
  const std::shared_ptr<const tunnel::Identity> db_ = ca_.node("db-1");
  std::set<std::string> told_;
  int reports_ = 0;
  int ends_ = 0;
  Presence presence_;
};

TEST_F(ProxyPresence, TellsOfEveryNodeThatComesAndGoes) {
  auto web = connect_node(web_);
  EXPECT_TRUE(comes_to_be_told({web_->self.id}));
  auto db = connect_node(db_);
  EXPECT_TRUE(comes_to_be_told({web_->self.id, db_->self.id}));
  web->close();
  EXPECT_TRUE(comes_to_be_told({db_->self.id}));
}

TEST_F(ProxyPresence, ANodeThatCameAgainIsNotGone) {
  auto before = connect_node(web_);
  EXPECT_TRUE(comes_to_be_told({web_->self.id}));
  auto again = connect_node(web_);  // the newer one wins
  const int reports = reports_;
  EXPECT_TRUE(comes_true([&] { return reports_ > reports + 2; }));
  EXPECT_EQ(told_, std::set<std::string>{web_->self.id});
}

TEST_F(ProxyPresence, TellsAllAgainToAnAuthThatHasRestarted) {
  auto web = connect_node(web_);
  EXPECT_TRUE(comes_to_be_told({web_->self.id}));
  auth_.answers = reports_;  // of this connection: it ends with the next sign of life
  const int connections = auth_.connections;
  told_.clear();
  EXPECT_TRUE(comes_to_be_told({web_->self.id}));
  EXPECT_GT(auth_.connections, connections);
}

class RenewedPresence : public ProxyPresence {
 protected:
  RenewedPresence() : ProxyPresence(std::chrono::milliseconds(50)) {}
};

TEST_F(RenewedPresence, TellsAllOnItsNextConnectionBeforeItLeavesTheOneBefore) {
  auto web = connect_node(web_);
  EXPECT_TRUE(comes_to_be_told({web_->self.id}));
  bool was_gap = false;
  auth_.on_end = [&] {
    was_gap = was_gap || auth_.connections < ends_ + 2;
    ++ends_;
  };
  EXPECT_TRUE(comes_true([&] { return ends_ == 3; }));
  EXPECT_FALSE(was_gap) << "a connection ended before the next one had begun";
}

}  // namespace
}  // namespace cairn::proxy
