#include "agent/session/control_socket.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include <fmt/format.h>

namespace cairn::agent {

Result<ControlPair> make_control_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return fail_errno("socketpair");
  ControlPair pair{.worker = UniqueFd(ends[0]), .login = UniqueFd(ends[1])};
  // The kernel doubles what it is asked for and counts its own bookkeeping against it. Beyond the host's limit only
  // root may go; without, the default still takes every command of usual length.
  const int wanted = static_cast<int>(2 * kMaxControlBytes);
  for (const int end : ends) ::setsockopt(end, SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof wanted);
  return pair;
}

Result<void> send_control(int socket, const google::protobuf::MessageLite& message) {
  if (message.ByteSizeLong() > kMaxControlBytes) {
    return fail(Errc::kTooLarge,
                fmt::format("command and environment of {} bytes, limit {}", message.ByteSizeLong(), kMaxControlBytes));
  }
  const std::string bytes = message.SerializeAsString();
  while (::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    if (errno != EINTR) return fail_errno("send to the other end of the login");
  }
  return {};
}

Result<bool> receive_control(int socket, google::protobuf::MessageLite* message, Waiting waiting) {
  std::string bytes(kMaxControlBytes, '\0');
  const int flags = MSG_TRUNC | (waiting == Waiting::kNot ? MSG_DONTWAIT : 0);
  ssize_t got = 0;
  while ((got = ::recv(socket, bytes.data(), bytes.size(), flags)) < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    if (errno == ECONNRESET) return fail(Errc::kClosed, "the other end of the login is gone");
    if (errno != EINTR) return fail_errno("receive from the other end of the login");
  }
  if (got == 0) return fail(Errc::kClosed, "the other end of the login is gone");
  const auto size = static_cast<size_t>(got);
  if (size > bytes.size() || !message->ParseFromArray(bytes.data(), static_cast<int>(size)))
    return fail(Errc::kCorrupt, fmt::format("a packet of {} bytes is no message of the login", size));
  return true;
}

}  // namespace cairn::agent
