#include "base/async.h"

#include <algorithm>
#include <cstdio>
#include <random>

namespace cairn {

awaitable<void> sleep_for(std::chrono::milliseconds wait) {
  asio::steady_timer timer(co_await asio::this_coro::executor, wait);
  co_await timer.async_wait(kAwait);
}

void Doorbell::ring() {
  has_rung_ = true;
  timer_.cancel();
}

awaitable<void> Doorbell::wait_until(Deadline deadline) {
  if (!has_rung_) {
    timer_.expires_at(deadline);
    co_await timer_.async_wait(kAwait);
  }
  has_rung_ = false;
}

// Asio 1.81 looks at the cancellation before it begins to await another coroutine, and throws then; there is nothing
// left to do in it.
awaitable<void> end_if_cancelled() { co_return; }

void OrDie::operator()(std::exception_ptr escaped) const {
  if (!escaped) return;
  try {
    std::rethrow_exception(escaped);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cairn: internal error, ending: %s\n", error.what());
  } catch (...) {
    std::fputs("cairn: internal error, ending\n", stderr);
  }
  std::terminate();
}

std::chrono::milliseconds Backoff::next() {
  thread_local std::minstd_rand random(std::random_device{}());
  const int64_t whole = next_.count();
  next_ = std::min(next_ * 2, limit_);
  return std::chrono::milliseconds(std::uniform_int_distribution<int64_t>(whole / 2, whole)(random));
}

}  // namespace cairn
