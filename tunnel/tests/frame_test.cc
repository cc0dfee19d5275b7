// Frames of peers that break the rules, over real TLS.
#include <limits>
#include <string>

#include <gmock/gmock.h>

#include "base/bytes.h"
#include "proto/tunnel.pb.h"
#include "tunnel/tests/loopback.h"

namespace cairn::tunnel {
namespace {

using testing::HasSubstr;
using testing_support::run_in_loop;
using testing_support::TestCa;

std::string prefix(uint32_t body_bytes) {
  std::string bytes(4, '\0');
  write_be32(bytes.data(), body_bytes);
  return bytes;
}

class Frames : public testing::Test {
 protected:
  Frames() : server_(loop_, cluster_.proxy(), {Alpn::kTunnel}) {
    Pair pair = run_in_loop(loop_, join(&server_, cluster_.node(), Alpn::kTunnel, Role::kProxy));
    node_ = std::move(pair.client.value());
    proxy_ = std::move(pair.server.value());
  }

  // What the proxy makes of `bytes`, after which the node hangs up.
  Result<std::optional<v1::FromAgent>> read_of(const std::string& bytes) {
    EXPECT_TRUE(run_in_loop(loop_, node_->write_bytes(asio::buffer(bytes))).has_value());
    EXPECT_TRUE(run_in_loop(loop_, node_->finish_writing()).has_value());
    return run_in_loop(loop_, proxy_->read<v1::FromAgent>(kMaxControlFrameBytes));
  }

  TestCa cluster_;
  asio::io_context loop_;
  LoopbackServer server_;
  std::unique_ptr<Connection> node_;
  std::unique_ptr<Connection> proxy_;
};

TEST_F(Frames, CarryMessagesBothWays) {
  v1::FromAgent hello;
  hello.mutable_hello()->set_version("1.2.3");
  ASSERT_TRUE(run_in_loop(loop_, node_->write(hello)).has_value());
  const auto read = run_in_loop(loop_, proxy_->read<v1::FromAgent>(kMaxControlFrameBytes));
  ASSERT_TRUE(read.has_value() && read->has_value());
  EXPECT_EQ((*read)->hello().version(), "1.2.3");

  v1::FromProxy welcome;
  welcome.mutable_welcome()->set_ping_interval_ms(15'000);
  ASSERT_TRUE(run_in_loop(loop_, proxy_->write(welcome)).has_value());
  const auto answer = run_in_loop(loop_, node_->read<v1::FromProxy>(kMaxControlFrameBytes));
  ASSERT_TRUE(answer.has_value() && answer->has_value());
  EXPECT_EQ((*answer)->welcome().ping_interval_ms(), 15'000U);
}

TEST_F(Frames, EndBetweenTwoIsNoError) {
  const auto read = read_of("");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_FALSE(read->has_value());
}

TEST_F(Frames, LongerThanTheLimitAreRefusedByTheirLengthAlone) {
  const auto read = read_of(prefix(kMaxControlFrameBytes + 1));
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, Errc::kTooLarge);
  EXPECT_THAT(read.error().message, HasSubstr("frame of 65537 bytes, limit 65536"));
}

TEST_F(Frames, OfFourGigabytesAreRefusedBeforeAllocating) {
  const auto read = read_of(prefix(std::numeric_limits<uint32_t>::max()));
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, Errc::kTooLarge);
}

TEST_F(Frames, CutInTheLengthAreTruncated) {
  const auto read = read_of(std::string("\0\0\0", 3));
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, Errc::kTruncated);
  EXPECT_THAT(read.error().message, HasSubstr("3 of 4 bytes"));
}

TEST_F(Frames, CutInTheBodyAreTruncated) {
  const auto read = read_of(prefix(100) + "only this");
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, Errc::kTruncated);
  EXPECT_THAT(read.error().message, HasSubstr("9 of 100 bytes"));
}

TEST_F(Frames, ThatHoldNoSuchMessageAreRefusedByName) {
  const auto read = read_of(prefix(4) + "\xff\xff\xff\xff");
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, Errc::kInvalid);
  EXPECT_THAT(read.error().message, HasSubstr("cairn.tunnel.v1.FromAgent"));
}

TEST_F(Frames, OfUnknownTypeAreReadAsAMessageOfNoKind) {
  // Field 1000, an empty message: what a newer agent might send.
  const auto read = read_of(prefix(3) + "\xc2\x3e" + std::string(1, '\0'));
  ASSERT_TRUE(read.has_value() && read->has_value());
  EXPECT_EQ((*read)->kind_case(), v1::FromAgent::KIND_NOT_SET);
}

TEST_F(Frames, OfTheGreatestSizeArrive) {
  const std::string body(kMaxControlFrameBytes, 'b');
  std::string frame = prefix(kMaxControlFrameBytes) + body;
  using namespace asio::experimental::awaitable_operators;
  auto both = [](Connection* from, Connection* to, std::string bytes) -> awaitable<std::string> {
    auto writing = from->write_bytes(asio::buffer(bytes));
    auto reading = to->read_frame(kMaxControlFrameBytes);
    auto [written, read] = co_await (std::move(writing) && std::move(reading));
    co_return written&& read && *read ? **read : "";
  };
  EXPECT_EQ(run_in_loop(loop_, both(node_.get(), proxy_.get(), std::move(frame))), body);
}

TEST_F(Frames, WaitUntilTheDeadlineAndThenSaySo) {
  auto reading = [](Connection* from) -> awaitable<Result<std::optional<std::string>>> {
    auto work = from->read_frame(kMaxControlFrameBytes);
    co_return co_await within(after(std::chrono::milliseconds(20)), std::move(work));
  };
  const auto read = run_in_loop(loop_, reading(proxy_.get()));
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, Errc::kTimeout);
}

}  // namespace
}  // namespace cairn::tunnel
