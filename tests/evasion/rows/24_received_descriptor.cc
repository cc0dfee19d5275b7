// Descriptors that somebody else opened: over a unix socket, by recvmmsg(2) too, and by pidfd_getfd(2).
#include "tests/evasion/rows/net.h"

using namespace row;

namespace {

sockaddr_un meeting_point() {
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  std::strcpy(at.sun_path, "giver");
  return at;
}

void give(int to, int fd) {
  char control[CMSG_SPACE(sizeof(int))]{};
  iovec part{.iov_base = const_cast<char*>("x"), .iov_len = 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  must(::sendmsg(to, &message, 0), "sendmsg");
}

void take(int from) {
  char control[CMSG_SPACE(sizeof(int))]{};
  char byte = 0;
  iovec part{.iov_base = &byte, .iov_len = 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  must(::recvmsg(from, &message, 0), "recvmsg");
}

// Several messages at once, each with a descriptor.
void take_two(int from) {
  char control[2][CMSG_SPACE(sizeof(int))]{};
  char byte[2]{};
  iovec part[2] = {{.iov_base = &byte[0], .iov_len = 1}, {.iov_base = &byte[1], .iov_len = 1}};
  mmsghdr messages[2]{};
  for (int i = 0; i < 2; ++i) {
    messages[i].msg_hdr.msg_iov = &part[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_control = control[i];
    messages[i].msg_hdr.msg_controllen = sizeof(control[i]);
  }
  if (::recvmmsg(from, messages, 2, 0, nullptr) != 2) must(-1, "recvmmsg");
}

constexpr int kKnownFd = 77;

}  // namespace

int main(int argc, char** argv) {
  return run(
      argc, argv,
      [] {
        sockaddr_un at = meeting_point();
        const int fd = must(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
        must(::connect(fd, as_sockaddr(at), sizeof(at)), "connect");
        take(fd);
        truth({{"kind", "socket"}, {"op", "receive_fd"}, {"path", scratch + "/given"}});
        take_two(fd);
        truth({{"kind", "socket"}, {"op", "receive_fd"}, {"path", scratch + "/second"}});
        truth({{"kind", "socket"}, {"op", "receive_fd"}, {"path", scratch + "/third"}});
        const int pidfd = must(static_cast<int>(::syscall(SYS_pidfd_open, outside_pid(), 0)), "pidfd_open");
        must(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd, kKnownFd, 0)), "pidfd_getfd");
        truth({{"kind", "socket"}, {"op", "receive_fd"}, {"path", scratch + "/fetched"}});
      },
      [] {
        const int given = must(::open(make_file("given").c_str(), O_RDONLY), "given");
        must(::dup2(must(::open(make_file("fetched").c_str(), O_RDONLY), "fetched"), kKnownFd), "dup2");
        sockaddr_un at = meeting_point();
        const int fd = must(::socket(AF_UNIX, SOCK_STREAM, 0), "socket");
        must(::bind(fd, as_sockaddr(at), sizeof(at)), "bind");
        must(::listen(fd, 8), "listen");
        ready();
        const int taker = must(::accept(fd, nullptr, nullptr), "accept");
        give(taker, given);
        give(taker, must(::open(make_file("second").c_str(), O_RDONLY), "second"));
        give(taker, must(::open(make_file("third").c_str(), O_RDONLY), "third"));
        for (;;) ::pause();
      });
}
