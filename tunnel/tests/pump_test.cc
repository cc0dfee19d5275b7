// A TLS connection joined with a local socket by a thread that polls, as a worker and the client's ProxyCommand do it.
#include "tunnel/pump.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string>
#include <thread>

#include <gmock/gmock.h>

#include "tunnel/tests/loopback.h"

namespace cairn::tunnel {
namespace {

using testing_support::run_in_loop;
using testing_support::TestCa;

awaitable<Result<void>> write(Connection* to, std::string bytes) {
  co_return co_await to->write_bytes(asio::buffer(bytes));
}

// peer ↔ TLS | pump | inner ↔ outer
class Pumped : public testing::Test {
 protected:
  Pumped() : server_(loop_, cluster_.proxy(), {Alpn::kDial}) {
    Pair pair = run_in_loop(loop_, join(&server_, cluster_.node(), Alpn::kDial, Role::kProxy));
    peer_ = std::move(pair.server.value());
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    inner_.reset(ends[0]);
    ::fcntl(inner_.get(), F_SETFL, O_NONBLOCK);
    asio::local::stream_protocol::socket outer(loop_, asio::local::stream_protocol(), ends[1]);
    outer_ = std::make_unique<Connection>(std::move(outer));
    auto [socket, tls] = std::move(**pair.client).take_apart();
    pump_ = std::make_unique<Pump>(std::move(socket), std::move(tls), inner_.get(), inner_.get());
  }
  ~Pumped() override {
    peer_.reset();
    outer_.reset();
    if (thread_.joinable()) thread_.join();
  }

  // Until both directions are over.
  void start() {
    thread_ = std::thread([this] { pump_->finish(kPatience); });
  }
  void end() { thread_.join(); }

  TestCa cluster_;
  asio::io_context loop_;
  LoopbackServer server_;
  UniqueFd inner_;
  std::unique_ptr<Connection> peer_, outer_;
  std::unique_ptr<Pump> pump_;
  std::thread thread_;
};

TEST_F(Pumped, CarriesBothWays) {
  start();
  ASSERT_TRUE(run_in_loop(loop_, write(peer_.get(), "question")).has_value());
  EXPECT_EQ(run_in_loop(loop_, read_up_to(outer_.get(), 8)).value(), "question");
  ASSERT_TRUE(run_in_loop(loop_, write(outer_.get(), "answer")).has_value());
  EXPECT_EQ(run_in_loop(loop_, read_up_to(peer_.get(), 6)).value(), "answer");
}

TEST_F(Pumped, AnswersStillGoAfterThePeerHasFinished) {
  start();
  ASSERT_TRUE(run_in_loop(loop_, write(peer_.get(), "all of it")).has_value());
  ASSERT_TRUE(run_in_loop(loop_, peer_->finish_writing()).has_value());
  EXPECT_EQ(run_in_loop(loop_, read_up_to(outer_.get(), 1000)).value(), "all of it");  // and then the end
  ASSERT_TRUE(run_in_loop(loop_, write(outer_.get(), "last words")).has_value());
  ASSERT_TRUE(run_in_loop(loop_, outer_->finish_writing()).has_value());
  EXPECT_EQ(run_in_loop(loop_, read_up_to(peer_.get(), 1000)).value(), "last words");
  end();
  EXPECT_TRUE(pump_->has_received_all());
  EXPECT_FALSE(pump_->error().has_value());
}

TEST_F(Pumped, EndsWhenBothSidesVanish) {
  start();
  peer_->close();
  EXPECT_EQ(run_in_loop(loop_, read_up_to(outer_.get(), 1000)).value(), "");
  outer_->close();
  end();
  EXPECT_TRUE(pump_->has_received_all());
}

TEST_F(Pumped, MegabytesArriveAsTheyWereSentBothWaysAtOnce) {
  start();
  std::string sent;
  for (int i = 0; i < 400'000; i++) sent += std::to_string(i);
  auto both = [](Connection* one, Connection* other, std::string bytes) -> awaitable<bool> {
    using namespace asio::experimental::awaitable_operators;
    auto there = write(one, bytes);
    auto back = write(other, bytes);
    auto arriving = read_up_to(other, bytes.size());
    auto returning = read_up_to(one, bytes.size());
    auto [sent_there, sent_back, arrived, returned] =
        co_await (std::move(there) && std::move(back) && std::move(arriving) && std::move(returning));
    co_return sent_there&& sent_back&& arrived&& returned && *arrived == bytes && *returned == bytes;
  };
  EXPECT_TRUE(run_in_loop(loop_, both(peer_.get(), outer_.get(), sent)));
}

TEST_F(Pumped, TakesNoMoreFromThePeerThanItCanPassOn) {
  auto flood = [](Connection* to) -> awaitable<size_t> {
    size_t sent = 0;
    const std::string block(64 * 1024, 'f');
    for (;;) {
      auto writing = to->write_bytes(asio::buffer(block));
      const Result<void> written = co_await within(after(std::chrono::milliseconds(100)), std::move(writing));
      if (!written) co_return sent;
      sent += block.size();
    }
  };
  EXPECT_GT(run_in_loop(loop_, flood(peer_.get())), 0U);  // what the kernel takes
  do {
    pump_->serve();
  } while (pump_->has_more());
  const std::array<pollfd, 3> waits = pump_->waits();
  EXPECT_EQ(waits[0].fd, -1);  // the peer is not listened to
  EXPECT_EQ(waits[2].fd, inner_.get());
  EXPECT_EQ(waits[2].events, POLLOUT);
}

TEST_F(Pumped, TriesNothingThatIsNotReady) {
  pump_->serve();
  ASSERT_TRUE(run_in_loop(loop_, write(outer_.get(), "answer")).has_value());
  pump_->serve({.connection = true, .in = false, .out = true});
  std::array<pollfd, 3> waits = pump_->waits();
  ASSERT_EQ(::poll(waits.data(), waits.size(), 0), 1);  // it still lies there
  EXPECT_FALSE(Pump::ready(waits).connection);
  EXPECT_TRUE(Pump::ready(waits).in);
  pump_->serve(Pump::ready(waits));
  EXPECT_EQ(run_in_loop(loop_, read_up_to(peer_.get(), 6)).value(), "answer");
}

TEST_F(Pumped, CountsWhatItHasGiven) {
  ASSERT_TRUE(run_in_loop(loop_, write(peer_.get(), "question")).has_value());
  while (pump_->given_bytes() == 0) {
    std::array<pollfd, 3> waits = pump_->waits();
    ASSERT_GE(::poll(waits.data(), waits.size(), static_cast<int>(std::chrono::milliseconds(kPatience).count())), 1);
    pump_->serve(Pump::ready(waits));
  }
  EXPECT_EQ(pump_->given_bytes(), 8U);
}

TEST_F(Pumped, HasSomethingToDoBeforeTheFirstWait) {
  // The reader of the last frame may have read on.
  EXPECT_TRUE(pump_->has_more());
  pump_->serve();
  EXPECT_FALSE(pump_->has_more());
}

TEST_F(Pumped, SaysWhyWhenThePeerSpeaksNoTls) {
  start();
  constexpr std::string_view kNonsense = "HTTP/1.1 400 Bad Request\r\n\r\n";
  ASSERT_EQ(::send(peer_->native_handle(), kNonsense.data(), kNonsense.size(), MSG_NOSIGNAL),
            ssize_t{kNonsense.size()});
  EXPECT_EQ(run_in_loop(loop_, read_up_to(outer_.get(), 1000)).value(), "");
  outer_->close();
  end();
  ASSERT_TRUE(pump_->error().has_value());
  EXPECT_THAT(pump_->error()->message, testing::StartsWith("read: "));
}

}  // namespace
}  // namespace cairn::tunnel
