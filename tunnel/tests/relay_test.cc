// A relay between two TLS connections, as the proxy joins a client to a dial-back, and between TLS and a plain socket.
#include <sys/socket.h>

#include <string>

#include <gmock/gmock.h>

#include "tunnel/relay.h"
#include "tunnel/tests/loopback.h"

namespace cairn::tunnel {
namespace {

using testing_support::run_in_loop;
using testing_support::TestCa;

// client ↔ near | relay | far ↔ worker
class Relayed : public testing::Test {
 protected:
  Relayed() : server_(loop_, cluster_.proxy(), {Alpn::kSsh, Alpn::kDial}) {
    Pair left = run_in_loop(loop_, join(&server_, cluster_.user(), Alpn::kSsh, Role::kProxy));
    Pair right = run_in_loop(loop_, join(&server_, cluster_.node(), Alpn::kDial, Role::kProxy));
    client_ = std::move(left.client.value());
    near_ = std::move(left.server.value());
    worker_ = std::move(right.client.value());
    far_ = std::move(right.server.value());
  }

  void start(std::chrono::milliseconds silence_limit = std::chrono::seconds(60)) {
    asio::co_spawn(loop_,
                   relay(
                       near_.get(), far_.get(), [this](size_t bytes) { counted_ += bytes; }, silence_limit),
                   [this](std::exception_ptr escaped, RelayTotals totals) {
                     or_die()(escaped);
                     totals_ = totals;
                   });
  }
  void run_until_ended() {
    loop_.restart();
    while (!totals_ && loop_.run_one() > 0) {
    }
    ASSERT_TRUE(totals_.has_value());
  }
  static awaitable<Result<void>> write(Connection* to, std::string bytes) {
    co_return co_await to->write_bytes(asio::buffer(bytes));
  }

  TestCa cluster_;
  asio::io_context loop_;
  LoopbackServer server_;
  std::unique_ptr<Connection> client_, near_, far_, worker_;
  std::optional<RelayTotals> totals_;
  size_t counted_ = 0;
};

TEST_F(Relayed, CarriesBothWays) {
  start();
  ASSERT_TRUE(run_in_loop(loop_, write(client_.get(), "question")).has_value());
  EXPECT_EQ(run_in_loop(loop_, read_up_to(worker_.get(), 8)).value(), "question");
  ASSERT_TRUE(run_in_loop(loop_, write(worker_.get(), "answer")).has_value());
  EXPECT_EQ(run_in_loop(loop_, read_up_to(client_.get(), 6)).value(), "answer");
}

TEST_F(Relayed, AnswersStillComeAfterTheClientHasFinished) {
  start();
  ASSERT_TRUE(run_in_loop(loop_, write(client_.get(), "all of it")).has_value());
  ASSERT_TRUE(run_in_loop(loop_, client_->finish_writing()).has_value());
  EXPECT_EQ(run_in_loop(loop_, read_up_to(worker_.get(), 1000)).value(), "all of it");  // and then the end
  ASSERT_TRUE(run_in_loop(loop_, write(worker_.get(), "last words")).has_value());
  ASSERT_TRUE(run_in_loop(loop_, worker_->finish_writing()).has_value());
  EXPECT_EQ(run_in_loop(loop_, read_up_to(client_.get(), 1000)).value(), "last words");
  run_until_ended();
  EXPECT_EQ(totals_->left_to_right, 9U);
  EXPECT_EQ(totals_->right_to_left, 10U);
  EXPECT_EQ(counted_, 19U);
}

TEST_F(Relayed, EndsWhenOneSideVanishes) {
  start();
  worker_->close();
  EXPECT_EQ(run_in_loop(loop_, read_up_to(client_.get(), 1000)).value(), "");
  client_->close();
  run_until_ended();
}

TEST_F(Relayed, GivesUpASideThatNeitherSpeaksNorFinishes) {
  start(std::chrono::milliseconds(50));
  worker_->close();
  run_until_ended();  // though the client holds on
  EXPECT_EQ(run_in_loop(loop_, read_up_to(client_.get(), 1000)).value(), "");
}

TEST_F(Relayed, HoldsLittleForASideThatDoesNotRead) {
  start();
  auto flood = [](Connection* to) -> awaitable<size_t> {
    size_t sent = 0;
    const std::string block(64 * 1024, 'f');
    for (;;) {
      auto writing = to->write_bytes(asio::buffer(block));
      const Result<void> written = co_await within(after(std::chrono::milliseconds(300)), std::move(writing));
      if (!written) co_return sent;
      sent += block.size();
    }
  };
  // The kernel's socket buffers take some megabytes; a relay that read on would take without end.
  EXPECT_LT(run_in_loop(loop_, flood(client_.get())), size_t{64} << 20);
}

TEST_F(Relayed, MegabytesArriveAsTheyWereSent) {
  start();
  std::string sent;
  for (int i = 0; i < 400'000; i++) sent += std::to_string(i);
  auto both = [](Connection* from, Connection* to, std::string bytes) -> awaitable<std::string> {
    using namespace asio::experimental::awaitable_operators;
    auto writing = write(from, bytes);
    auto reading = read_up_to(to, bytes.size());
    auto [written, read] = co_await (std::move(writing) && std::move(reading));
    co_return written&& read ? *read : "";
  };
  EXPECT_TRUE(run_in_loop(loop_, both(client_.get(), worker_.get(), sent)) == sent);
  EXPECT_TRUE(run_in_loop(loop_, both(worker_.get(), client_.get(), sent)) == sent);
}

TEST(RelayToAUnixSocket, PassesTheEndOn) {
  const TestCa cluster;
  asio::io_context loop;
  LoopbackServer server(loop, cluster.proxy(), {Alpn::kDial});
  Pair pair = run_in_loop(loop, join(&server, cluster.node(), Alpn::kDial, Role::kProxy));
  UnixSocket inner(loop);
  UnixSocket outer(loop);
  asio::local::connect_pair(inner, outer);
  Connection local(std::move(inner));
  Connection program(std::move(outer));
  std::optional<RelayTotals> totals;
  asio::co_spawn(loop, relay(pair.client->get(), &local, nullptr), [&](std::exception_ptr escaped, RelayTotals ended) {
    or_die()(escaped);
    totals = ended;
  });
  auto write = [](Connection* to, std::string bytes) -> awaitable<Result<void>> {
    const Result<void> written = co_await to->write_bytes(asio::buffer(bytes));
    if (!written) co_return fail(written);
    co_return co_await to->finish_writing();
  };
  ASSERT_TRUE(run_in_loop(loop, write(pair.server->get(), "in")).has_value());
  EXPECT_EQ(run_in_loop(loop, read_up_to(&program, 100)).value(), "in");
  ASSERT_TRUE(run_in_loop(loop, write(&program, "out")).has_value());
  EXPECT_EQ(run_in_loop(loop, read_up_to(pair.server->get(), 100)).value(), "out");
  loop.restart();
  while (!totals && loop.run_one() > 0) {
  }
  EXPECT_TRUE(totals.has_value());
}

}  // namespace
}  // namespace cairn::tunnel
