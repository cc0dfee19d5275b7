// TCP Fast Open: a connection without connect(2), and a connect(2) that sends nothing yet.
#include <netinet/tcp.h>

#include "tests/evasion/rows/net.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    uint16_t port = 0, other = 0;
    const int server = listen_on(AF_INET, &port);
    const int queue = 16, on = 1;
    if (::setsockopt(server, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue)) != 0) skip("no TCP Fast Open");
    for (int i = 0; i < 2; ++i) {  // without a cookie, and with one where the kernel gives one
      sockaddr_in to = v4(port);
      const int fd = must(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
      must(::sendto(fd, "x", 1, MSG_FASTOPEN, as_sockaddr(to), sizeof(to)), "sendto");
    }
    truth({{"kind", "connect"}, {"remote", at_v4(port)}, {"phase", "attempt"}});

    listen_on(AF_INET, &other);
    sockaddr_in to = v4(other);
    const int fd = must(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    must(::setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)), "TCP_FASTOPEN_CONNECT");
    must(::connect(fd, as_sockaddr(to), sizeof(to)), "connect");
    must(::write(fd, "x", 1), "write");
    truth({{"kind", "connect"}, {"remote", at_v4(other)}, {"phase", "attempt"}});
  });
}
