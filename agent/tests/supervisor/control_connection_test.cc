#include "agent/supervisor/control_connection.h"

#include <functional>
#include <optional>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>

#include "agent/supervisor/control_connections.h"
#include "agent/supervisor/worker_launcher.h"
#include "agent/tests/supervisor/temporary_folder.h"
#include "base/bytes.h"
#include "base/file.h"
#include "proto/agent.pb.h"
#include "tests/support/test_ca.h"
#include "tunnel/server.h"

namespace cairn::agent {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatience{20'000};

// The proxy's end of control connections, one at a time, told by the test what to say.
class FakeProxy {
 public:
  FakeProxy(asio::io_context& io, const testing_support::TestCa& ca)
      : listener_(*tunnel::Listener::open(io.get_executor(), {.host = "127.0.0.1", .port = 0})),
        tls_(*tunnel::make_server_tls(ca.identity({.role = tunnel::Role::kProxy, .id = random_uuid(), .name = "proxy"}),
                                      {tunnel::Alpn::kTunnel})) {}

  tunnel::Address address() const { return *tunnel::parse_address(listener_.address(), 0); }

  awaitable<void> serve() {
    for (;;) {
      auto socket = co_await listener_.accept();
      if (!socket) co_return;
      tunnel::Arrival arrival(std::move(*socket));
      const Result<tunnel::Alpn> alpn = co_await arrival.greet(after(kPatience));
      EXPECT_TRUE(alpn && *alpn == tunnel::Alpn::kTunnel);
      Result<std::unique_ptr<tunnel::Connection>> connection = co_await arrival.secure(tls_, after(kPatience));
      EXPECT_TRUE(connection) << connection.error().message;
      if (!connection) co_return;
      agent_ = std::move(*connection);
      co_await converse();
      agent_.reset();
    }
  }

  std::vector<tunnel::v1::FromAgent> heard;
  std::vector<tunnel::v1::FromProxy> says;  // after Welcome
  uint32_t ping_interval_ms = 60'000;
  bool hangs_up = false;  // after it has said what it says
  bool is_welcoming = true;
  int connections = 0;

 private:
  awaitable<void> say(tunnel::v1::FromProxy message) {
    auto writing = agent_->write(message);
    std::ignore = co_await std::move(writing);
  }

  awaitable<void> converse() {
    connections++;
    if (is_welcoming) {
      tunnel::v1::FromProxy welcome;
      welcome.mutable_welcome()->set_ping_interval_ms(ping_interval_ms);
      co_await say(std::move(welcome));
    }
    const std::vector<tunnel::v1::FromProxy> now = says;
    for (const tunnel::v1::FromProxy& message : now) co_await say(message);
    if (hangs_up) co_return;
    for (;;) {
      auto reading = agent_->read<tunnel::v1::FromAgent>(tunnel::kMaxControlFrameBytes);
      Result<std::optional<tunnel::v1::FromAgent>> message = co_await std::move(reading);
      if (!message || !message->has_value()) co_return;
      heard.push_back(std::move(**message));
    }
  }

  tunnel::Listener listener_;
  std::shared_ptr<const tunnel::ServerTls> tls_;
  std::unique_ptr<tunnel::Connection> agent_;
};

class ControlConnectionToAProxy : public testing::Test {
 protected:
  void start() {
    control_.emplace(
        proxy_.address(), [this] { return node_; }, [this](tunnel::v1::Dial dial) { return on_dial(std::move(dial)); },
        [this] { ups_++; },
        ControlTimes{.connect_limit = kPatience, .first_retry = milliseconds(2), .last_retry = milliseconds(10)},
        Log("control-test", LogLevel::kError));
    asio::co_spawn(io_, proxy_.serve(), or_die());
    asio::co_spawn(io_, control_->run(), or_die());
  }
  void until(const char* what, const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!holds()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "waited for: " << what;
      io_.run_one_for(milliseconds(100));
    }
  }
  awaitable<Result<void>> on_dial(tunnel::v1::Dial dial) {
    dials_.push_back(dial);
    if (!refusal_.empty()) co_return fail(Errc::kUnavailable, refusal_);
    if (!launcher_) co_return Result<void>();
    v1::WorkerStart start;
    start.set_dial_id(dial.dial_id());
    start.set_client_address(dial.client_address());
    co_return launcher_->launch(start.SerializeAsString());
  }
  static tunnel::v1::FromProxy dial(std::string id, uint32_t lease_ms = 5000) {
    tunnel::v1::FromProxy message;
    message.mutable_dial()->set_dial_id(std::move(id));
    message.mutable_dial()->set_lease_ms(lease_ms);
    message.mutable_dial()->set_client_address("192.0.2.7:4711");
    return message;
  }

  asio::io_context io_;
  const testing_support::TestCa ca_{"testing"};
  std::shared_ptr<const tunnel::Identity> node_ =
      ca_.identity({.role = tunnel::Role::kNode, .id = random_uuid(), .name = "web-1"});
  FakeProxy proxy_{io_, ca_};
  std::optional<ControlConnection> control_;
  std::optional<WorkerLauncher> launcher_;
  std::vector<tunnel::v1::Dial> dials_;
  std::string refusal_;
  int ups_ = 0;
};

TEST_F(ControlConnectionToAProxy, BeginsWithHelloAndIsUpAfterWelcome) {
  start();
  until("it to be up", [&] { return ups_ == 1 && !proxy_.heard.empty(); });
  EXPECT_EQ(proxy_.heard[0].hello().version(), CAIRN_VERSION);
}

TEST_F(ControlConnectionToAProxy, AnswersAPingWithItsNonce) {
  tunnel::v1::FromProxy ping;
  ping.mutable_ping()->set_nonce(4711);
  proxy_.says.push_back(ping);
  start();
  until("the pong", [&] { return proxy_.heard.size() == 2; });
  EXPECT_EQ(proxy_.heard[1].pong().nonce(), 4711u);
}

TEST_F(ControlConnectionToAProxy, ComesBackWhenTheProxyHangsUp) {
  proxy_.hangs_up = true;
  start();
  until("three connections", [&] { return ups_ >= 3; });
}

TEST_F(ControlConnectionToAProxy, HoldsAProxyForDeadAfterThreeSilentIntervals) {
  proxy_.ping_interval_ms = 50;
  start();
  until("a second connection", [&] { return proxy_.connections >= 2; });
  EXPECT_EQ(ups_ >= 1, true);
}

TEST_F(ControlConnectionToAProxy, IsNotUpWithoutAWelcome) {
  proxy_.is_welcoming = false;
  proxy_.says.push_back(dial(std::string(16, 'd')));
  start();
  until("a second connection", [&] { return proxy_.connections >= 2; });
  EXPECT_EQ(ups_, 0);
  EXPECT_TRUE(dials_.empty());
}

TEST_F(ControlConnectionToAProxy, TellsTheClientWhyItWasRefused) {
  refusal_ = "this node serves 3 sessions already";
  proxy_.says.push_back(dial(std::string(16, 'd')));
  start();
  until("the refusal", [&] { return proxy_.heard.size() == 2; });
  EXPECT_EQ(proxy_.heard[1].dial_refused().dial_id(), std::string(16, 'd'));
  EXPECT_EQ(proxy_.heard[1].dial_refused().reason(), refusal_);
}

TEST_F(ControlConnectionToAProxy, DoesNotServeAnImpossibleDial) {
  proxy_.says.push_back(dial("short"));
  start();
  until("a second connection", [&] { return proxy_.connections >= 2; });
  EXPECT_TRUE(dials_.empty());
}

TEST_F(ControlConnectionToAProxy, StartsAWorkerForEveryDial) {
  const TemporaryFolder folder;
  std::vector<std::string> stub{"/bin/sh", "-c", "cat <&3 >\"$0/$$\"", folder.path().string()};
  launcher_.emplace(io_.get_executor(), std::move(stub), Log("control-test", LogLevel::kError));
  asio::co_spawn(io_, launcher_->reap(), or_die());
  proxy_.says = {dial(std::string(16, 'a')), dial(std::string(16, 'b'))};
  start();
  until("both workers to have ended", [&] { return dials_.size() == 2 && launcher_->running() == 0; });
  std::vector<std::string> ids;
  for (const auto& file : std::filesystem::directory_iterator(folder.path())) {
    const Result<std::string> frame = read_file(file.path(), 4096);
    ASSERT_TRUE(frame && frame->size() > 4);
    v1::WorkerStart start;
    ASSERT_TRUE(start.ParseFromString(frame->substr(4)));
    EXPECT_EQ(start.client_address(), "192.0.2.7:4711");
    ids.push_back(start.dial_id());
  }
  EXPECT_THAT(ids, testing::UnorderedElementsAre(std::string(16, 'a'), std::string(16, 'b')));
}

class ControlConnectionsToTwoProxies : public ControlConnectionToAProxy {
 protected:
  ControlConnectionsToTwoProxies() {
    ControlConnections::Calls calls{.who_am_i = [this] { return node_; },
                                    .on_dial =
                                        [this](tunnel::v1::Dial dial, tunnel::Address proxy) {
                                          dialled_.push_back(tunnel::address_text(proxy));
                                          return on_dial(std::move(dial));
                                        },
                                    .on_up = [this](const tunnel::Address&) { ups_++; }};
    all_.emplace(
        io_.get_executor(), std::move(calls),
        ControlTimes{.connect_limit = kPatience, .first_retry = milliseconds(2), .last_retry = milliseconds(10)},
        Log("control-test", LogLevel::kError));
    asio::co_spawn(io_, proxy_.serve(), or_die());
    asio::co_spawn(io_, other_.serve(), or_die());
  }
  size_t up() const {
    size_t up = 0;
    for (const ControlConnections::State& state : all_->states()) up += state.is_up;
    return up;
  }

  FakeProxy other_{io_, ca_};
  std::vector<std::string> dialled_;
  std::optional<ControlConnections> all_;
};

TEST_F(ControlConnectionsToTwoProxies, StandToBothAndSayWhichOneAsks) {
  other_.says.push_back(dial(std::string(16, 'd')));
  all_->set({proxy_.address(), other_.address()});
  until("both to be up and a dial", [&] { return up() == 2 && !dialled_.empty(); });
  EXPECT_EQ(dialled_.front(), tunnel::address_text(other_.address()));
}

TEST_F(ControlConnectionsToTwoProxies, StandToOneWhenTheOtherIsAway) {
  proxy_.hangs_up = true;
  proxy_.is_welcoming = false;
  all_->set({proxy_.address(), other_.address()});
  until("one to be up", [&] { return up() == 1 && proxy_.connections >= 2; });
  for (const ControlConnections::State& state : all_->states()) EXPECT_EQ(state.is_up, state.error.empty());
}

TEST_F(ControlConnectionsToTwoProxies, LetGoOfAProxyThatIsNoLongerWanted) {
  all_->set({proxy_.address()});
  until("the first to be up", [&] { return up() == 1; });
  all_->set({other_.address()});
  until("the second to be up", [&] { return up() == 1 && other_.connections == 1; });
  EXPECT_EQ(all_->states().size(), 1u);
  EXPECT_EQ(proxy_.connections, 1);  // and does not come back
}

}  // namespace
}  // namespace cairn::agent
