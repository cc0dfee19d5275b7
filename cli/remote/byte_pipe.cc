#include "cli/remote/byte_pipe.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "base/unique_fd.h"
#include "tunnel/pump.h"

namespace cairn::cli {
namespace {

// A descriptor for the same thing that does not wait; files never do.
Result<UniqueFd> unblocked(int fd, int access) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return fail_errno("standard input or output");
  if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)) {
    const std::string path = fmt::format("/proc/self/fd/{}", fd);
    UniqueFd again(::open(path.c_str(), access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (again) return again;
  }
  UniqueFd same(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!same) return fail_errno("standard input or output");
  const int flags = ::fcntl(fd, F_GETFL);
  if (S_ISREG(status.st_mode) || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0) return same;
  return fail_errno("standard input or output");
}

}  // namespace

Result<void> pipe_bytes(std::unique_ptr<tunnel::Connection> connection, int in, int out) {
  const Result<UniqueFd> from = unblocked(in, O_RDONLY);
  if (!from) return fail(from);
  const Result<UniqueFd> to = unblocked(out, O_WRONLY);
  if (!to) return fail(to);
  auto [socket, tls] = std::move(*connection).take_apart();
  tunnel::Pump pump(std::move(socket), std::move(tls), from->get(), to->get());
  pump.serve();
  while (!pump.has_received_all()) {
    std::array<pollfd, 3> waits = pump.waits();
    if (::poll(waits.data(), waits.size(), pump.has_more() ? 0 : -1) < 0 && errno != EINTR) return fail_errno("poll");
    pump.serve(tunnel::Pump::ready(waits));
  }
  if (pump.error()) return tl::make_unexpected(*pump.error());
  return {};
}

}  // namespace cairn::cli
