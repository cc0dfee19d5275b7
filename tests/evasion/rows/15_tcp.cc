// TCP: IPv4, IPv6, IPv4 mapped into IPv6, without waiting, refused.
#include <poll.h>

#include "tests/evasion/rows/net.h"

using namespace row;

namespace {

void expect(const std::string& remote, int result) {
  truth({{"kind", "connect"}, {"remote", remote}, {"phase", "attempt"}});
  truth({{"kind", "connect"}, {"remote", remote}, {"phase", "result"}, {"result", std::to_string(result)}});
}

template <class T> void connect_to(T to, int flags = 0) {
  const int fd = must(::socket(as_sockaddr(to)->sa_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), "socket");
  ::connect(fd, as_sockaddr(to), sizeof(to));
  pollfd done{.fd = fd, .events = POLLOUT, .revents = 0};
  ::poll(&done, 1, 5000);
  ::close(fd);
}

uint16_t new_port(int family) {
  uint16_t port = 0;
  listen_on(family, &port);
  return port;
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    const uint16_t a = new_port(AF_INET), b = new_port(AF_INET6), c = new_port(AF_INET), d = new_port(AF_INET);
    connect_to(v4(a));
    connect_to(v6(b));
    connect_to(v6(c, true));
    connect_to(v4(d), SOCK_NONBLOCK);
    expect(at_v4(a), 0);
    expect(at_v6(b), 0);
    expect("[::ffff:127.0.0.1]:" + std::to_string(c), 0);
    expect(at_v4(d), 0);
    connect_to(v4(1));
    expect(at_v4(1), -ECONNREFUSED);
  });
}
