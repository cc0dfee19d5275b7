// Coroutines on this compiler. g++ 12.2 destroys some of these objects twice under ASan; a compiler that fails here
// does not build Cairn.
#include "base/async.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using std::chrono::milliseconds;

struct Counted {
  explicit Counted(int* alive) : alive(alive) { ++*alive; }
  Counted(const Counted& other) : alive(other.alive) { ++*alive; }
  Counted(Counted&& other) noexcept : alive(other.alive) { ++*alive; }
  Counted& operator=(const Counted&) = default;
  ~Counted() { --*alive; }
  int* alive;
};

struct Request {
  std::string name;
  Counted counted;
};

awaitable<size_t> take(Request request) {
  co_await asio::post(asio::use_awaitable);
  co_return request.name.size();
}

awaitable<Result<int>> answer_after(milliseconds wait, int value) {
  asio::steady_timer timer(co_await asio::this_coro::executor, wait);
  auto [error] = co_await timer.async_wait(kAwait);
  if (error) co_return fail(error, "waiting");
  co_return value;
}

template <class T> T run_on(asio::io_context& io, awaitable<T> work) {
  std::optional<T> outcome;
  asio::co_spawn(io, std::move(work), [&outcome](std::exception_ptr escaped, T value) {
    or_die()(escaped);
    outcome = std::move(value);
  });
  io.restart();
  io.run();
  return std::move(*outcome);
}

template <class T> T run(awaitable<T> work) {
  asio::io_context io;
  return run_on(io, std::move(work));
}

awaitable<size_t> pass_a_named_aggregate(int* alive) {
  Request request{.name = std::string(100, 'x'), .counted = Counted(alive)};
  const size_t size = co_await take(std::move(request));
  co_return size;
}

TEST(Coroutine, DestroysANamedAggregateArgumentOnce) {
  int alive = 0;
  EXPECT_EQ(run(pass_a_named_aggregate(&alive)), 100u);
  EXPECT_EQ(alive, 0);
}

TEST(Within, ReturnsTheAnswerThatComesInTime) {
  const Result<int> got = run(within(after(milliseconds(60000)), answer_after(milliseconds(1), 7)));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(*got, 7);
}

TEST(Within, SaysTimeoutAndCancelsTheWork) {
  const Result<int> got = run(within(after(milliseconds(1)), answer_after(milliseconds(600000), 7)));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::kTimeout);
}

awaitable<Result<int>> fail_at_once() { co_return fail(Errc::kClosed, "closed"); }

TEST(Within, ReturnsAFailureAtOnceAndAsItself) {
  const Result<int> got = run(within(after(milliseconds(600000)), fail_at_once()));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::kClosed);
}

awaitable<Result<int>> complain_after(milliseconds wait, int* complaints) {
  const Result<int> answer = co_await answer_after(wait, 7);
  co_await end_if_cancelled();
  if (!answer) ++*complaints;
  co_return answer;
}

TEST(EndIfCancelled, KeepsACancelledCoroutineFromReportingItsOwnEnd) {
  int complaints = 0;
  const Result<int> got = run(within(after(milliseconds(1)), complain_after(milliseconds(600000), &complaints)));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::kTimeout);
  EXPECT_EQ(complaints, 0);
}

TEST(EndIfCancelled, IsNothingToOthers) {
  int complaints = 0;
  const Result<int> got = run(within(after(milliseconds(60000)), complain_after(milliseconds(1), &complaints)));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(complaints, 0);
}

TEST(Backoff, DoublesWithinItsBoundsAndStartsAnew) {
  Backoff backoff(milliseconds(100), milliseconds(400));
  const int64_t wholes[] = {100, 200, 400, 400};
  for (const int64_t whole : wholes) {
    const int64_t wait = backoff.next().count();
    EXPECT_GE(wait, whole / 2);
    EXPECT_LE(wait, whole);
  }
  backoff.reset();
  EXPECT_LE(backoff.next().count(), 100);
}

awaitable<milliseconds> time_a_wait(Doorbell* bell, milliseconds limit) {
  const auto begun = std::chrono::steady_clock::now();
  co_await bell->wait_until(after(limit));
  co_return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun);
}

TEST(ADoorbell, ThatRangBeforeTheWaitEndsIt) {
  asio::io_context io;
  Doorbell bell(io.get_executor());
  bell.ring();
  bell.ring();
  EXPECT_LT(run_on(io, time_a_wait(&bell, milliseconds(60'000))), milliseconds(30'000));
  // Both rings were for that one wait.
  EXPECT_GE(run_on(io, time_a_wait(&bell, milliseconds(20))), milliseconds(20));
}

TEST(ADoorbell, EndsAWaitThatHasBegun) {
  asio::io_context io;
  Doorbell bell(io.get_executor());
  asio::post(io, [&] { asio::post(io, [&] { bell.ring(); }); });
  EXPECT_LT(run_on(io, time_a_wait(&bell, milliseconds(60'000))), milliseconds(30'000));
}

}  // namespace
}  // namespace cairn
