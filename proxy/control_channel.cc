#include "proxy/control_channel.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "tunnel/liveness.h"

namespace cairn::proxy {

ControlChannel::ControlChannel(std::unique_ptr<tunnel::Connection> connection) : connection_(std::move(connection)) {}

awaitable<Error> ControlChannel::serve(OnRefused on_refused) {
  const std::shared_ptr<ControlChannel> alive = shared_from_this();
  if (Result<void> greeted = co_await greet(); !greeted) co_return greeted.error();
  timer_ = std::make_unique<asio::steady_timer>(co_await asio::this_coro::executor);
  last_heard_ = std::chrono::steady_clock::now();
  next_ping_ = last_heard_ + ping_interval_;
  await_ping();
  start_writing();  // a Dial may have been queued meanwhile
  Error why = co_await listen(std::move(on_refused));
  end(why);
  timer_->cancel();
  co_return *end_;
}

awaitable<Result<void>> ControlChannel::greet() {
  auto receiving = receive();
  Result<tunnel::v1::FromAgent> first =
      co_await within(after(tunnel::silence_limit(kPingInterval)), std::move(receiving));
  if (!first) co_return fail(first);
  if (!first->has_hello()) co_return fail(Errc::kInvalid, "the first frame is no Hello");
  if (first->hello().local_address() == connection_->far_end()) ping_interval_ = kDirectPingInterval;
  tunnel::v1::FromProxy message;
  message.mutable_welcome()->set_version(CAIRN_VERSION);
  message.mutable_welcome()->set_ping_interval_ms(static_cast<uint32_t>(ping_interval_.count()));
  auto writing = connection_->write(message);
  Result<void> written = co_await within(after(kPingInterval), std::move(writing));
  co_return written;
}

// ---- what the agent says

awaitable<Result<tunnel::v1::FromAgent>> ControlChannel::receive() {
  Result<std::optional<tunnel::v1::FromAgent>> read =
      co_await connection_->read<tunnel::v1::FromAgent>(tunnel::kMaxControlFrameBytes);
  if (!read) co_return fail(read, "control connection");
  std::optional<tunnel::v1::FromAgent>& message = *read;
  if (!message) co_return fail(Errc::kClosed, "control connection: the agent closed it");
  co_return std::move(*message);
}

awaitable<Error> ControlChannel::listen(OnRefused on_refused) {
  for (;;) {
    Result<tunnel::v1::FromAgent> message = co_await receive();
    if (!message) co_return message.error();
    last_heard_ = std::chrono::steady_clock::now();
    if (message->has_dial_refused()) {
      on_refused(message->dial_refused().dial_id(), message->dial_refused().reason());
    } else if (!message->has_pong()) {
      co_return Error{Errc::kInvalid, "control connection: a frame of an unknown type"};
    }
  }
}

// ---- whether it is there

void ControlChannel::await_ping() {
  timer_->expires_at(std::min(next_ping_, last_heard_ + tunnel::silence_limit(ping_interval_)));
  timer_->async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const std::shared_ptr<ControlChannel> channel = weak.lock();
    if (!error && channel && !channel->end_) channel->ping();
  });
}

void ControlChannel::ping() {
  const Deadline now = std::chrono::steady_clock::now();
  if (now >= last_heard_ + tunnel::silence_limit(ping_interval_)) {
    const auto silent_s = std::chrono::floor<std::chrono::seconds>(now - last_heard_).count();
    return end({Errc::kTimeout, fmt::format("control connection: nothing heard for {} s", silent_s)});
  }
  if (now >= next_ping_) {
    next_ping_ = now + ping_interval_;
    tunnel::v1::FromProxy message;
    message.mutable_ping()->set_nonce(++nonce_);
    if (Result<void> pushed = push(message); !pushed) return end(pushed.error());
  }
  await_ping();
}

// Its first reason is the one that is told.
void ControlChannel::end(Error why) {
  if (!end_) end_ = std::move(why);
  connection_->close();
}

void ControlChannel::close() { connection_->close(); }

// ---- what it is told

Result<void> ControlChannel::push(const tunnel::v1::FromProxy& message) {
  if (queue_.size() >= kMaxQueuedFrames)
    return fail(Errc::kUnavailable, fmt::format("node \"{}\" does not read its control connection", node().name));
  queue_.push_back(message.SerializeAsString());
  start_writing();
  return {};
}

void ControlChannel::start_writing() {
  if (!timer_ || queue_.empty() || std::exchange(is_writing_, true)) return;
  asio::co_spawn(timer_->get_executor(), write_queue(shared_from_this()), or_die());
}

// An agent that does not read does not answer pings either, and is cut off by its silence.
awaitable<void> ControlChannel::write_queue(std::shared_ptr<ControlChannel> channel) {
  while (!channel->queue_.empty() && !channel->end_) {
    for (std::string& frame : std::exchange(channel->queue_, {})) {
      Result<void> written = co_await channel->connection_->write_frame(std::move(frame));
      if (!written) co_return channel->end(written.error());
    }
  }
  channel->is_writing_ = false;
}

Result<void> ControlChannel::dial(const tunnel::v1::Dial& dial) {
  tunnel::v1::FromProxy message;
  *message.mutable_dial() = dial;
  return push(message);
}

}  // namespace cairn::proxy
