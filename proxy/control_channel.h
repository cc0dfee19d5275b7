#pragma once

#include <deque>
#include <memory>
#include <string>

#include "base/async.h"
#include "base/result.h"
#include "proto/tunnel.pb.h"
#include "tunnel/stream.h"

namespace cairn::proxy {

constexpr std::chrono::milliseconds kPingInterval{5'000};
constexpr int kSilentIntervals = 3;        // a peer without a frame for so many is dead
constexpr size_t kMaxQueuedFrames = 4096;  // an agent that does not read is cut off

// The control connection of one agent, on the proxy's side. Shared by the coroutine that serves it and the registry
// through which clients find it: whichever lets go last ends it.
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
  awaitable<Result<void>> read_until_silent(OnRefused on_refused);
  awaitable<Result<void>> write_queue();
  awaitable<Result<tunnel::v1::FromAgent>> receive();
  Result<void> push(const tunnel::v1::FromProxy& message);

  std::unique_ptr<tunnel::Connection> connection_;
  std::deque<std::string> queue_;
  std::unique_ptr<Doorbell> bell_;  // something is queued
};

}  // namespace cairn::proxy
