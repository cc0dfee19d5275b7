#include "proxy/control_channel.h"

#include <fmt/format.h>

namespace cairn::proxy {

ControlChannel::ControlChannel(std::unique_ptr<tunnel::Connection> connection) : connection_(std::move(connection)) {}

awaitable<Error> ControlChannel::serve(OnRefused on_refused) {
  using namespace asio::experimental::awaitable_operators;
  const std::shared_ptr<ControlChannel> alive = shared_from_this();
  bell_ = std::make_unique<Doorbell>(co_await asio::this_coro::executor);
  if (Result<void> greeted = co_await greet(); !greeted) co_return greeted.error();
  auto reading = read_until_silent(std::move(on_refused));
  auto writing = write_queue();
  auto ended = co_await (std::move(reading) || std::move(writing));
  const Result<void>& outcome = ended.index() == 0 ? std::get<0>(ended) : std::get<1>(ended);
  connection_->close();
  co_return outcome ? Error{.code = Errc::kClosed, .message = "closed"} : outcome.error();
}

awaitable<Result<void>> ControlChannel::greet() {
  Result<tunnel::v1::FromAgent> first = co_await receive();
  if (!first) co_return fail(first);
  if (!first->has_hello()) co_return fail(Errc::kInvalid, "the first frame is no Hello");
  tunnel::v1::FromProxy message;
  message.mutable_welcome()->set_version(CAIRN_VERSION);
  message.mutable_welcome()->set_ping_interval_ms(static_cast<uint32_t>(kPingInterval.count()));
  auto writing = connection_->write(message);
  Result<void> written = co_await within(after(kPingInterval), std::move(writing));
  co_return written;
}

awaitable<Result<tunnel::v1::FromAgent>> ControlChannel::receive() {
  auto reading = connection_->read<tunnel::v1::FromAgent>(tunnel::kMaxControlFrameBytes);
  Result<std::optional<tunnel::v1::FromAgent>> read =
      co_await within(after(kPingInterval * kSilentIntervals), std::move(reading));
  if (!read) co_return fail(read, "control connection");
  std::optional<tunnel::v1::FromAgent>& message = *read;
  if (!message) co_return fail(Errc::kClosed, "control connection: the agent closed it");
  co_return std::move(*message);
}

awaitable<Result<void>> ControlChannel::read_until_silent(OnRefused on_refused) {
  for (;;) {
    Result<tunnel::v1::FromAgent> message = co_await receive();
    if (!message) co_return fail(message);
    if (message->has_dial_refused()) {
      on_refused(message->dial_refused().dial_id(), message->dial_refused().reason());
    } else if (!message->has_pong()) {
      co_return fail(Errc::kInvalid, "control connection: a frame of an unknown type");
    }
  }
}

awaitable<Result<void>> ControlChannel::write_queue() {
  uint64_t nonce = 0;
  Deadline next_ping = after(kPingInterval);
  for (;;) {
    while (!queue_.empty()) {
      std::string frame = std::move(queue_.front());
      queue_.pop_front();
      auto writing = connection_->write_frame(std::move(frame));
      Result<void> written = co_await within(after(kPingInterval * kSilentIntervals), std::move(writing));
      if (!written) co_return written;
    }
    if (std::chrono::steady_clock::now() >= next_ping) {
      next_ping = after(kPingInterval);
      tunnel::v1::FromProxy message;
      message.mutable_ping()->set_nonce(++nonce);
      if (Result<void> pushed = push(message); !pushed) co_return pushed;
      continue;
    }
    co_await bell_->wait_until(next_ping);
  }
}

Result<void> ControlChannel::push(const tunnel::v1::FromProxy& message) {
  if (queue_.size() >= kMaxQueuedFrames)
    return fail(Errc::kUnavailable, fmt::format("node \"{}\" does not read its control connection", node().name));
  queue_.push_back(message.SerializeAsString());
  if (bell_) bell_->ring();
  return {};
}

Result<void> ControlChannel::dial(const tunnel::v1::Dial& dial) {
  tunnel::v1::FromProxy message;
  *message.mutable_dial() = dial;
  return push(message);
}

void ControlChannel::close() { connection_->close(); }

}  // namespace cairn::proxy
