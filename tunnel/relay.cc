#include "tunnel/relay.h"

#include <memory>
#include <utility>

namespace cairn::tunnel {
namespace {

// One relay's two directions and their common end.
class Relay {
 public:
  Relay(asio::any_io_executor executor, Connection* left, Connection* right, std::function<void(size_t)> count,
        std::chrono::milliseconds silence_limit)
      : left_(left),
        right_(right),
        count_(std::move(count)),
        silence_limit_(silence_limit),
        silence_(executor),
        leftward_over_(executor) {}

  awaitable<RelayTotals> run() {
    // Not by operator&&, which costs each of thousands of idle relays some kilobytes. The other coroutine uses what is
    // here, so this one waits for it, whatever happens.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    asio::co_spawn(silence_.get_executor(), pump(right_, left_, &totals_.right_to_left),
                   [this](std::exception_ptr escaped) {
                     or_die()(escaped);
                     is_leftward_over_ = true;
                     leftward_over_.ring();
                   });
    co_await pump(left_, right_, &totals_.left_to_right);
    while (!is_leftward_over_) co_await leftward_over_.wait_until(Deadline::max());
    left_->close();
    right_->close();
    co_return totals_;
  }

 private:
  awaitable<void> pump(Connection* from, Connection* to, uint64_t* total) {
    co_await carry(from, to, total);
    // When `to` took no more, the other direction may still hold its last words: it goes on in any case.
    auto finish = to->finish_writing();
    static_cast<void>(co_await within(after(silence_limit_), std::move(finish)));
    if (++directions_ended_ == 1) {
      co_await await_the_other();
    } else {
      silence_.cancel();
    }
  }

  awaitable<void> carry(Connection* from, Connection* to, uint64_t* total) {
    for (;;) {
      // A silent connection, as most are, holds no memory for what it may say.
      if (const Result<void> waited = co_await from->wait_readable(); !waited) break;
      const auto buffer = std::make_unique_for_overwrite<char[]>(kRelayBufferBytes);
      const Result<size_t> got = co_await from->read_some(asio::buffer(buffer.get(), kRelayBufferBytes));
      if (!got || *got == 0) break;
      const Result<void> written = co_await to->write_bytes(asio::buffer(buffer.get(), *got));
      if (!written) break;
      *total += *got;
      if (count_) count_(*got);
    }
  }

  // Until the other direction has ended, which it must when it is silent for too long.
  awaitable<void> await_the_other() {
    for (;;) {
      const uint64_t before = totals_.left_to_right + totals_.right_to_left;
      silence_.expires_after(silence_limit_);
      co_await silence_.async_wait(kAwait);
      if (directions_ended_ == 2) co_return;
      if (totals_.left_to_right + totals_.right_to_left == before) break;
    }
    left_->close();
    right_->close();
  }

  Connection* left_;
  Connection* right_;
  std::function<void(size_t)> count_;
  std::chrono::milliseconds silence_limit_;
  asio::steady_timer silence_;
  Doorbell leftward_over_;
  bool is_leftward_over_ = false;
  RelayTotals totals_;
  int directions_ended_ = 0;
};

}  // namespace

awaitable<RelayTotals> relay(Connection* left, Connection* right, std::function<void(size_t bytes)> count,
                             std::chrono::milliseconds silence_limit) {
  Relay both(co_await asio::this_coro::executor, left, right, std::move(count), silence_limit);
  co_return co_await both.run();
}

}  // namespace cairn::tunnel
