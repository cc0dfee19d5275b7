#include "agent/supervisor/heartbeat.h"

#include <utility>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace cairn::agent {
namespace {

using std::chrono::milliseconds;

class CountingAuth final : public AuthCaller {
 public:
  awaitable<Result<auth::v1::Response>> call(auth::v1::Request request, milliseconds) override {
    co_await asio::post(asio::use_awaitable);
    beats.push_back(request.heartbeat());
    if (std::exchange(is_cut, false)) co_return fail(Errc::kUnavailable, "auth closed the connection");
    if (is_down) co_return fail(Errc::kUnavailable, "connection refused");
    co_return auth::v1::Response();
  }
  bool is_connected() const override { return !is_down; }

  std::vector<auth::v1::HeartbeatRequest> beats;
  bool is_down = false;
  bool is_cut = false;  // its link; the next call finds out
};

TEST(Heartbeat, DescribesTheNodeAsItIsEachTimeAndGoesOnWhenOneIsMissed) {
  asio::io_context io;
  CountingAuth auth;
  auth.is_down = true;
  uint64_t spool_bytes = 0;
  Heartbeat heartbeat(
      &auth,
      [&spool_bytes] {
        auth::v1::HeartbeatRequest beat;
        beat.set_spool_bytes(++spool_bytes);
        return beat;
      },
      milliseconds(1), Log("heartbeat-test", LogLevel::kError));
  asio::co_spawn(io, heartbeat.run(), or_die());
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (auth.beats.size() < 3 && std::chrono::steady_clock::now() < deadline) io.run_one_for(milliseconds(100));
  ASSERT_GE(auth.beats.size(), 3u);
  EXPECT_EQ(auth.beats[0].spool_bytes(), 1u);
  EXPECT_EQ(auth.beats[2].spool_bytes(), 3u);
}

TEST(Heartbeat, GoesOutAgainAtOnceWhenItsLinkHadBeenCut) {
  asio::io_context io;
  CountingAuth auth;
  auth.is_cut = true;
  Heartbeat heartbeat(
      &auth, [] { return auth::v1::HeartbeatRequest(); }, milliseconds(1), Log("test", LogLevel::kError));
  asio::co_spawn(io, heartbeat.beat(), or_die());
  io.run();
  EXPECT_EQ(auth.beats.size(), 2u);
  EXPECT_TRUE(heartbeat.is_heard());
}

}  // namespace
}  // namespace cairn::agent
