// A raw socket: made, connected, and used without connecting.
#include "tests/evasion/rows/net.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    const int fd = must(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP), "socket");
    truth({{"kind", "socket"}, {"op", "socket"}, {"protocol", "1"}});
    const unsigned char echo[8] = {8, 0, 0xf7, 0xff, 0, 0, 0, 0};
    sockaddr_in to = v4(0);
    to.sin_addr.s_addr = htonl(0x7f000002);
    must(::sendto(fd, echo, sizeof(echo), 0, as_sockaddr(to), sizeof(to)), "sendto");
    claim({{"kind", "socket"}, {"op", "send"}, {"remote", "127.0.0.2:0"}});
    to = v4(0);
    must(::connect(fd, as_sockaddr(to), sizeof(to)), "connect");
    truth({{"kind", "socket"}, {"op", "connect"}, {"remote", "127.0.0.1:0"}});
  });
}
