#include "auth/service/admin_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

namespace cairn::auth {
namespace {

using Protocol = asio::local::stream_protocol;

constexpr std::chrono::milliseconds kDescriptorWait{100};

bool may_administer(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

}  // namespace

Result<AdminSocket> AdminSocket::open(const asio::any_io_executor& executor, const std::filesystem::path& path) {
  if (path.native().size() >= sizeof(sockaddr_un::sun_path)) {
    return fail(Errc::kTooLarge, fmt::format("{}: a socket's path has at most {} bytes; choose a shorter --data-dir",
                                             path.string(), sizeof(sockaddr_un::sun_path) - 1));
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(fmt::format("remove {}", path.string()));
  boost::system::error_code error;
  Protocol::acceptor acceptor(executor);
  acceptor.open(Protocol(), error);
  if (!error) acceptor.bind(Protocol::endpoint(path.string()), error);
  // The folder is 0700, so nobody else can connect in between.
  if (!error && ::chmod(path.c_str(), 0600) != 0) return fail_errno(fmt::format("chmod {}", path.string()));
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return fail(std::error_code(error), fmt::format("listen on {}: {}", path.string(), error.message()));
  return AdminSocket(std::move(acceptor), path);
}

awaitable<Result<std::unique_ptr<tunnel::Connection>>> AdminSocket::accept() {
  for (;;) {
    auto [error, socket] = co_await acceptor_.async_accept(kAwait);
    if (error && (!acceptor_.is_open() || error == asio::error::operation_aborted))
      co_return fail(Errc::kClosed, "the admin socket is closed");
    if (error) {
      co_await sleep_for(kDescriptorWait);  // out of descriptors: passes when a connection ends
      continue;
    }
    if (may_administer(socket.native_handle())) co_return std::make_unique<tunnel::Connection>(std::move(socket));
  }
}

void AdminSocket::close() {
  if (!acceptor_.is_open()) return;  // moved from, or closed before
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  ::unlink(path_.c_str());
}

}  // namespace cairn::auth
