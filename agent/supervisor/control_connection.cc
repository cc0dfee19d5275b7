#include "agent/supervisor/control_connection.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "tunnel/liveness.h"
#include "tunnel/tls.h"

namespace cairn::agent {
namespace {

constexpr size_t kDialIdBytes = 16;
constexpr uint32_t kMaxLeaseMs = 60'000;

// What a proxy asks for, kept within reason.
std::chrono::milliseconds ping_interval(const tunnel::v1::Welcome& welcome) {
  constexpr uint32_t kLeastMs = 50;
  constexpr uint32_t kMostMs = 120'000;
  return std::chrono::milliseconds(std::clamp(welcome.ping_interval_ms(), kLeastMs, kMostMs));
}

}  // namespace

ControlConnection::ControlConnection(tunnel::Address proxy, WhoAmI who_am_i, OnDial on_dial, OnUp on_up,
                                     ControlTimes times, Log log)
    : proxy_(std::move(proxy)),
      who_am_i_(std::move(who_am_i)),
      on_dial_(std::move(on_dial)),
      on_up_(std::move(on_up)),
      times_(times),
      log_(std::move(log)),
      backoff_(times.first_retry, times.last_retry) {}

awaitable<void> ControlConnection::run() {
  for (;;) {
    const Error why = co_await hold();
    connection_.reset();
    is_up_ = false;
    last_error_ = why.message;
    co_await end_if_cancelled();
    const std::chrono::milliseconds wait = backoff_.next();
    log_.warn("tunnel.lost", kv("proxy", tunnel::address_text(proxy_)), kv("retry_ms", wait.count()), kv_error(why));
    co_await sleep_for(wait);
  }
}

awaitable<Error> ControlConnection::hold() {
  Result<std::unique_ptr<tunnel::Connection>> connected = co_await tunnel::connect(
      proxy_, who_am_i_(), tunnel::Alpn::kTunnel, tunnel::Role::kProxy, after(times_.connect_limit));
  if (!connected) co_return connected.error();
  connection_ = std::move(*connected);

  tunnel::v1::FromAgent hello;
  hello.mutable_hello()->set_version(CAIRN_VERSION);
  hello.mutable_hello()->set_local_address(connection_->local_end());
  const Result<void> sent = co_await send(std::move(hello));
  if (!sent) co_return sent.error();
  Result<tunnel::v1::FromProxy> first = co_await receive(times_.connect_limit);
  if (!first) co_return first.error();
  if (!first->has_welcome()) co_return Error{Errc::kInvalid, "the proxy did not begin with Welcome"};
  const std::chrono::milliseconds dead_after = tunnel::silence_limit(ping_interval(first->welcome()));
  backoff_.reset();
  is_up_ = true;
  last_error_.clear();
  on_up_();

  for (;;) {
    Result<tunnel::v1::FromProxy> message = co_await receive(dead_after);
    if (!message) co_return message.error();
    const Result<void> answered = co_await answer(std::move(*message));
    if (!answered) co_return answered.error();
  }
}

awaitable<Result<void>> ControlConnection::answer(tunnel::v1::FromProxy message) {
  if (message.has_dial()) co_return co_await answer_dial(std::move(*message.mutable_dial()));
  if (message.has_ping()) {
    tunnel::v1::FromAgent pong;
    pong.mutable_pong()->set_nonce(message.ping().nonce());
    co_return co_await send(std::move(pong));
  }
  co_return fail(Errc::kInvalid, "the proxy sent a message of unknown kind");
}

awaitable<Result<void>> ControlConnection::answer_dial(tunnel::v1::Dial dial) {
  if (dial.dial_id().size() != kDialIdBytes || dial.lease_ms() == 0 || dial.lease_ms() > kMaxLeaseMs)
    co_return fail(Errc::kInvalid, "the proxy asked for a dial-back with an impossible id or lease");
  const std::string dial_id = dial.dial_id();
  const std::string client = dial.client_address();
  const Result<void> started = co_await on_dial_(std::move(dial));
  if (started) co_return Result<void>();
  log_.warn("dial.refused", kv("client", client), kv_error(started.error()));
  tunnel::v1::FromAgent refusal;
  refusal.mutable_dial_refused()->set_dial_id(dial_id);
  refusal.mutable_dial_refused()->set_reason(started.error().message);
  co_return co_await send(std::move(refusal));
}

awaitable<Result<tunnel::v1::FromProxy>> ControlConnection::receive(std::chrono::milliseconds limit) {
  auto reading = connection_->read<tunnel::v1::FromProxy>(tunnel::kMaxControlFrameBytes);
  Result<std::optional<tunnel::v1::FromProxy>> read = co_await within(after(limit), std::move(reading));
  if (!read) co_return fail(read);
  std::optional<tunnel::v1::FromProxy>& message = *read;
  if (!message) co_return fail(Errc::kClosed, "the proxy closed the connection");
  co_return std::move(*message);
}

awaitable<Result<void>> ControlConnection::send(tunnel::v1::FromAgent message) {
  auto writing = connection_->write(message);
  co_return co_await within(after(times_.connect_limit), std::move(writing));
}

}  // namespace cairn::agent
