#pragma once

#include <chrono>
#include <exception>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/result.h"

namespace cairn {

namespace asio = boost::asio;
using asio::awaitable;
using Deadline = std::chrono::steady_clock::time_point;

// Errors are values: `auto [ec, n] = co_await …(…, kAwait);`
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

inline Deadline after(std::chrono::milliseconds wait) { return std::chrono::steady_clock::now() + wait; }

// What `work` returns, or Errc::kTimeout at `deadline`; the loser is cancelled and has ended when this returns.
template <class T> awaitable<Result<T>> within(Deadline deadline, awaitable<Result<T>> work) {
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer timer(co_await asio::this_coro::executor, deadline);
  auto first = co_await (std::move(work) || timer.async_wait(kAwait));
  if (first.index() == 1) co_return fail(Errc::kTimeout, "no answer in time");
  co_return std::get<0>(std::move(first));
}

// Sleeps. Returns early, without error, when the coroutine is cancelled.
awaitable<void> sleep_for(std::chrono::milliseconds wait);

// Wakes a coroutine that waits for work or for a time. A ring before the wait is not lost: the wait ends at once, which
// a timer's cancel() does not give. One waits; ring() and wait_until() are called from one thread.
class Doorbell {
 public:
  explicit Doorbell(const asio::any_io_executor& executor) : timer_(executor) {}

  void ring();
  // Returns after a ring, at `deadline`, or when the coroutine is cancelled.
  awaitable<void> wait_until(Deadline deadline);

 private:
  asio::steady_timer timer_;
  bool has_rung_ = false;
};

// Ends the calling coroutine here when it has been cancelled (its frames unwind), so that it does not report its own
// end as somebody's failure.
awaitable<void> end_if_cancelled();

// Completion token for co_spawn: an exception that escapes a coroutine is a bug and ends the program (std::terminate
// after a line on stderr); asio::detached would swallow it. Works for awaitable<void> and awaitable<Result<void>>-free
// loops alike.
struct OrDie {
  void operator()(std::exception_ptr escaped) const;
  template <class T> void operator()(std::exception_ptr escaped, const T&) const { (*this)(escaped); }
};
inline OrDie or_die() { return {}; }

// Waits between attempts: doubles from `first` to `limit`, each time a random share between half and the whole of it,
// so that many who lost the same peer do not return at once. reset() after a success.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds limit)
      : first_(first), limit_(limit), next_(first) {}
  std::chrono::milliseconds next();
  void reset() { next_ = first_; }

 private:
  std::chrono::milliseconds first_;
  std::chrono::milliseconds limit_;
  std::chrono::milliseconds next_;
};

}  // namespace cairn
