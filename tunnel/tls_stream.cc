#include "tunnel/tls_stream.h"

#include <poll.h>

#include <utility>

#include <boost/asio/post.hpp>

namespace cairn::tunnel {
namespace {

constexpr int kTurnsAtOnce = 32;  // of at most a relay's buffer

}  // namespace

bool is_readable(int fd) {
  pollfd one{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&one, 1, 0) == 1;
}

TlsStream::TlsStream(Socket socket, TlsContext context, TlsSide side, std::string first_bytes)
    : socket_(std::move(socket)), engine_(socket_.native_handle(), std::move(context), side, std::move(first_bytes)) {
  boost::system::error_code ignored;  // on failure the first read or write says more
  socket_.native_non_blocking(true, ignored);
}

awaitable<Result<void>> TlsStream::wait_for(Step step) {
  turns_ = 0;
  const auto what = step == Step::kNeedsInput ? Socket::wait_read : Socket::wait_write;
  auto [error] = co_await socket_.async_wait(what, kAwait);
  if (error) co_return fail(Errc::kClosed, "the connection was closed here");
  co_return Result<void>();
}

awaitable<void> TlsStream::share_the_loop() {
  if (++turns_ < kTurnsAtOnce) co_return;
  turns_ = 0;
  co_await asio::post(socket_.get_executor(), asio::use_awaitable);
}

awaitable<Result<void>> TlsStream::handshake() {
  for (;;) {
    const Step step = engine_.handshake();
    if (step == Step::kDone) co_return Result<void>();
    if (step != Step::kNeedsInput && step != Step::kNeedsOutput) co_return engine_.failed("TLS handshake");
    const Result<void> waited = co_await wait_for(step);
    if (!waited) co_return fail(waited, "TLS handshake");
  }
}

awaitable<Result<void>> TlsStream::wait_readable() {
  if (engine_.has_pending()) co_return Result<void>();
  if (!engine_.is_drained() && is_readable(socket_.native_handle())) co_return Result<void>();
  co_return co_await wait_for(Step::kNeedsInput);
}

awaitable<Result<size_t>> TlsStream::read_some(asio::mutable_buffer into) {
  for (;;) {
    size_t got = 0;
    const Step step = engine_.read(into, got);
    if (step == Step::kDone) {
      co_await share_the_loop();
      co_return got;
    }
    if (step == Step::kPeerFinished) co_return size_t{0};
    if (step == Step::kFailed) {
      Failure failure = engine_.failed("read");
      // Programs that are killed send no close_notify. What must arrive whole has lengths and ends of its own.
      if (failure.value().code == Errc::kClosed) co_return size_t{0};
      co_return failure;
    }
    const Result<void> waited = co_await wait_for(step);
    if (!waited) co_return fail(waited, "read");
  }
}

awaitable<Result<void>> TlsStream::write(asio::const_buffer bytes) {
  while (bytes.size() > 0) {
    size_t written = 0;
    const Step step = engine_.write(bytes, written);
    if (step == Step::kDone) {
      bytes += written;
      co_await share_the_loop();
      continue;
    }
    if (step != Step::kNeedsInput && step != Step::kNeedsOutput) co_return engine_.write_failed();
    const Result<void> waited = co_await wait_for(step);
    if (!waited) co_return fail(waited, "write");
  }
  co_return Result<void>();
}

awaitable<Result<void>> TlsStream::finish_writing() {
  for (;;) {
    const Step step = engine_.finish();
    if (step == Step::kDone) co_return Result<void>();
    if (step != Step::kNeedsInput && step != Step::kNeedsOutput) co_return engine_.failed("finish");
    const Result<void> waited = co_await wait_for(step);
    if (!waited) co_return fail(waited, "finish");
  }
}

}  // namespace cairn::tunnel
