#include "agent/session/control_socket.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace cairn::agent {
namespace {

struct RightsBuffer {
  alignas(cmsghdr) char bytes[CMSG_SPACE(kMaxControlDescriptors * sizeof(int))] = {};
};

std::vector<UniqueFd> take_descriptors(msghdr& packet) {
  std::vector<UniqueFd> taken;
  for (cmsghdr* header = CMSG_FIRSTHDR(&packet); header != nullptr; header = CMSG_NXTHDR(&packet, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    std::array<int, kMaxControlDescriptors> numbers{};
    const size_t bytes = std::min<size_t>(header->cmsg_len - CMSG_LEN(0), sizeof numbers);
    std::memcpy(numbers.data(), CMSG_DATA(header), bytes);
    for (size_t i = 0; i < bytes / sizeof(int); ++i) taken.emplace_back(numbers[i]);
  }
  return taken;
}

}  // namespace

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

Result<void> send_control(int socket, const google::protobuf::MessageLite& message, std::span<const int> descriptors) {
  if (message.ByteSizeLong() > kMaxControlBytes || descriptors.size() > kMaxControlDescriptors) {
    return fail(Errc::kTooLarge,
                fmt::format("command and environment of {} bytes, limit {}", message.ByteSizeLong(), kMaxControlBytes));
  }
  std::string bytes = message.SerializeAsString();
  iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
  msghdr packet{};
  packet.msg_iov = &part;
  packet.msg_iovlen = 1;
  RightsBuffer rights;
  if (!descriptors.empty()) {
    packet.msg_control = rights.bytes;
    packet.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* const header = CMSG_FIRSTHDR(&packet);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
  }
  while (::sendmsg(socket, &packet, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    if (errno != EINTR) return fail_errno("send to the other end of the login");
  }
  return {};
}

Result<bool> receive_control(int socket, google::protobuf::MessageLite* message, Waiting waiting,
                             std::vector<UniqueFd>* descriptors) {
  std::string bytes(kMaxControlBytes, '\0');
  iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
  msghdr packet{};
  packet.msg_iov = &part;
  packet.msg_iovlen = 1;
  RightsBuffer rights;
  packet.msg_control = rights.bytes;
  packet.msg_controllen = sizeof rights.bytes;
  const int flags = MSG_TRUNC | MSG_CMSG_CLOEXEC | (waiting == Waiting::kNot ? MSG_DONTWAIT : 0);
  ssize_t got = 0;
  while ((got = ::recvmsg(socket, &packet, flags)) < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    if (errno == ECONNRESET) return fail(Errc::kClosed, "the other end of the login is gone");
    if (errno != EINTR) return fail_errno("receive from the other end of the login");
  }
  std::vector<UniqueFd> came = take_descriptors(packet);
  if (got == 0) return fail(Errc::kClosed, "the other end of the login is gone");
  const auto size = static_cast<size_t>(got);
  if (size > bytes.size() || !message->ParseFromArray(bytes.data(), static_cast<int>(size)))
    return fail(Errc::kCorrupt, fmt::format("a packet of {} bytes is no message of the login", size));
  if (descriptors != nullptr) *descriptors = std::move(came);
  return true;
}

}  // namespace cairn::agent
