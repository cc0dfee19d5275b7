// Multipath TCP.
#include "tests/evasion/rows/net.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    constexpr int kMptcp = 262;
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, kMptcp);
    if (fd < 0) skip("no MPTCP");
    uint16_t port = 0;
    listen_on(AF_INET, &port, kMptcp);
    sockaddr_in to = v4(port);
    must(::connect(fd, as_sockaddr(to), sizeof(to)), "connect");
    truth({{"kind", "connect"}, {"remote", at_v4(port)}, {"phase", "attempt"}});
    truth({{"kind", "socket"}, {"op", "connect"}, {"protocol", "mptcp"}});
  });
}
