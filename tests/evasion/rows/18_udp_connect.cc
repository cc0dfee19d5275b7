// A UDP socket is connected: QUIC begins so.
#include "tests/evasion/rows/net.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    sockaddr_in to = v4(34567);
    sockaddr_in6 to6 = v6(34568);
    must(::connect(must(::socket(AF_INET, SOCK_DGRAM, 0), "socket"), as_sockaddr(to), sizeof(to)), "connect");
    must(::connect(must(::socket(AF_INET6, SOCK_DGRAM, 0), "socket"), as_sockaddr(to6), sizeof(to6)), "connect");
    truth({{"kind", "socket"}, {"op", "connect"}, {"protocol", "udp"}, {"remote", at_v4(34567)}});
    truth({{"kind", "socket"}, {"op", "connect"}, {"protocol", "udp"}, {"remote", at_v6(34568)}});
  });
}
