#include "agent/supervisor/heartbeat.h"

#include <utility>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace cairn::agent {
namespace {

using std::chrono::milliseconds;

struct CountingAuth {
  Heartbeat::Ask ask() {
    return [this](auth::v1::Request request, milliseconds) { return answer(std::move(request)); };
  }
  awaitable<Result<auth::v1::Response>> answer(auth::v1::Request request) {
    co_await asio::post(asio::use_awaitable);
    beats.push_back(request.heartbeat());
    if (failures > 0 && failures-- > 0) co_return fail(Errc::kUnavailable, "connection refused");
    co_return auth::v1::Response();
  }

  std::vector<auth::v1::HeartbeatRequest> beats;
  int failures = 0;  // of the next calls
};

TEST(Heartbeat, DescribesTheNodeAsItIsEachTimeAndGoesOnWhenOneIsMissed) {
  asio::io_context io;
  CountingAuth auth;
  auth.failures = 4;
  uint64_t spool_bytes = 0;
  Heartbeat heartbeat(
      auth.ask(),
      [&spool_bytes] {
        auth::v1::HeartbeatRequest beat;
        beat.set_spool_bytes(++spool_bytes);
        return beat;
      },
      milliseconds(1), Log("heartbeat-test", LogLevel::kError));
  asio::co_spawn(io, heartbeat.run(), or_die());
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (auth.beats.size() < 5 && std::chrono::steady_clock::now() < deadline) io.run_one_for(milliseconds(100));
  ASSERT_GE(auth.beats.size(), 5u);
  EXPECT_EQ(auth.beats[0].spool_bytes(), 1u);
  EXPECT_EQ(auth.beats[4].spool_bytes(), 5u);
}

// Whether auth took one heartbeat.
bool beat_once(CountingAuth& auth) {
  asio::io_context io;
  Heartbeat heartbeat(
      auth.ask(), [] { return auth::v1::HeartbeatRequest(); }, milliseconds(1), Log("test", LogLevel::kError));
  asio::co_spawn(io, heartbeat.beat(), or_die());
  io.run();
  return heartbeat.is_heard();
}

TEST(Heartbeat, IsTriedTwiceSinceAnotherProxyMayLeadToAuth) {
  CountingAuth auth;
  auth.failures = 1;
  EXPECT_TRUE(beat_once(auth));
  EXPECT_EQ(auth.beats.size(), 2u);
}

TEST(Heartbeat, IsMissedWhenNoProxyLeadsToAuth) {
  CountingAuth auth;
  auth.failures = 2;
  EXPECT_FALSE(beat_once(auth));
}

}  // namespace
}  // namespace cairn::agent
