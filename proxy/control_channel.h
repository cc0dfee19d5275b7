#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/async.h"
#include "base/result.h"
#include "proto/tunnel.pb.h"
#include "tunnel/stream.h"

namespace cairn::proxy {

// Where nobody stands between, TCP's keep-alive (tune() in tunnel/stream.h) is answered by the agent's own host and
// tells of a dead one within 15 s; pings are then for an agent that hangs. Elsewhere they must do both.
constexpr std::chrono::milliseconds kPingInterval{8'000};
constexpr std::chrono::milliseconds kDirectPingInterval{24'000};
constexpr size_t kMaxQueuedFrames = 4096;  // an agent that does not read is cut off

// The control connection of one agent, on the proxy's side. Shared by the coroutine that serves it and the registry
// through which clients find it: whichever lets go last ends it. Thousands of them are idle at once, hence one
// coroutine each, which reads; a timer pings, and who has something to write is there while it writes.
class ControlChannel : public std::enable_shared_from_this<ControlChannel> {
 public:
  explicit ControlChannel(std::unique_ptr<tunnel::Connection> connection);

  const tunnel::Peer& node() const { return connection_->peer(); }
  // Hears of DialRefused.
  using OnRefused = std::function<void(std::string dial_id, std::string reason)>;

  // Greets (Hello, Welcome), then serves until the connection ends. Returns why it did.
  awaitable<Error> serve(OnRefused on_refused);
  // Queues a Dial; fails with kUnavailable when the agent does not read.
  Result<void> dial(const tunnel::v1::Dial& dial);
  // Ends serve().
  void close();

 private:
  awaitable<Result<void>> greet();
  awaitable<Result<tunnel::v1::FromAgent>> receive();
  awaitable<Error> listen(OnRefused on_refused);
  void await_ping();
  void ping();
  Result<void> push(const tunnel::v1::FromProxy& message);
  void start_writing();
  static awaitable<void> write_queue(std::shared_ptr<ControlChannel> channel);
  void end(Error why);

  std::unique_ptr<tunnel::Connection> connection_;
  std::vector<std::string> queue_;             // frames; where nothing is queued it holds no memory
  std::unique_ptr<asio::steady_timer> timer_;  // since the greeting
  Deadline last_heard_;
  Deadline next_ping_;
  uint64_t nonce_ = 0;
  bool is_writing_ = false;
  std::chrono::milliseconds ping_interval_ = kPingInterval;
  std::optional<Error> end_;  // why we closed it
};

}  // namespace cairn::proxy
