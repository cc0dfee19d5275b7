#include "cli/remote/byte_pipe.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "base/file.h"

namespace cairn::cli {

Result<std::unique_ptr<BytePipe>> BytePipe::open(asio::io_context& loop, std::unique_ptr<tunnel::Connection> connection,
                                                 int in, int out) {
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!stop) return fail_errno("eventfd");
  return std::unique_ptr<BytePipe>(new BytePipe(loop, std::move(connection), in, out, std::move(stop)));
}

BytePipe::BytePipe(asio::io_context& loop, std::unique_ptr<tunnel::Connection> connection, int in, int out,
                   UniqueFd stop)
    : loop_(&loop), connection_(std::move(connection)), in_(in), out_(out), stop_(std::move(stop)) {}

Result<void> BytePipe::run() {
  std::optional<Result<void>> sent;
  std::optional<Result<void>> received;
  asio::co_spawn(*loop_, send(), [&sent](std::exception_ptr escaped, Result<void> result) {
    or_die()(escaped);
    sent = std::move(result);
  });
  asio::co_spawn(*loop_, receive(), [&received](std::exception_ptr escaped, Result<void> result) {
    or_die()(escaped);
    received = std::move(result);
  });
  loop_->restart();
  while (!received && loop_->run_one() > 0) {
  }
  stop_sending();
  connection_->close();
  while (!sent && loop_->run_one() > 0) {
  }
  return received ? *received : fail(Errc::kInternal, "the connection's loop ended early");
}

awaitable<Result<void>> BytePipe::send() {
  for (;;) {
    const Result<size_t> got = co_await threads_.run([this] { return read_input(); });
    if (!got) co_return fail(got);
    if (*got == 0) {
      co_return co_await connection_->finish_writing();
    }
    const asio::const_buffer bytes(outgoing_->data(), *got);
    const Result<void> sent = co_await connection_->write_bytes(bytes);
    if (!sent) co_return fail(sent);
  }
}

awaitable<Result<void>> BytePipe::receive() {
  for (;;) {
    const asio::mutable_buffer into(incoming_->data(), incoming_->size());
    const Result<size_t> got = co_await connection_->read_some(into);
    if (!got) co_return fail(got);
    if (*got == 0) co_return Result<void>();
    const std::string_view bytes(incoming_->data(), *got);
    const Result<void> written = co_await threads_.run([this, bytes] { return write_all(out_, bytes); });
    if (!written && written.error().code == std::errc::broken_pipe) co_return Result<void>();
    if (!written) co_return fail(written, "standard output");
  }
}

// 0 at the end of the input, and when it is no longer wanted.
Result<size_t> BytePipe::read_input() {
  for (;;) {
    std::array<pollfd, 2> either{pollfd{.fd = in_, .events = POLLIN, .revents = 0},
                                 pollfd{.fd = stop_.get(), .events = POLLIN, .revents = 0}};
    if (::poll(either.data(), either.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return fail_errno("wait for standard input");
    }
    if (either[1].revents != 0) return size_t{0};
    const ssize_t got = ::read(in_, outgoing_->data(), outgoing_->size());
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR && errno != EAGAIN) return fail_errno("read standard input");
  }
}

void BytePipe::stop_sending() {
  const uint64_t once = 1;
  [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &once, sizeof once);
}

}  // namespace cairn::cli
