// Datagrams without connect(2): sendto, sendmsg, sendmsg by an io_uring worker.
#include "tests/evasion/rows/net.h"
#include "tests/evasion/rows/uring.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    const auto expect = [](const std::string& remote) {
      truth({{"kind", "socket"}, {"op", "send"}, {"protocol", "udp"}, {"remote", remote}});
    };
    const int fd = must(::socket(AF_INET, SOCK_DGRAM, 0), "socket");
    const int fd6 = must(::socket(AF_INET6, SOCK_DGRAM, 0), "socket");
    sockaddr_in to = v4(34570);
    sockaddr_in6 to6 = v6(34571);
    must(::sendto(fd, "x", 1, 0, as_sockaddr(to), sizeof(to)), "sendto");
    must(::sendto(fd6, "x", 1, 0, as_sockaddr(to6), sizeof(to6)), "sendto v6");
    expect(at_v4(34570));
    expect(at_v6(34571));

    sockaddr_in third = v4(34572);
    iovec part{.iov_base = const_cast<char*>("x"), .iov_len = 1};
    msghdr message{};
    message.msg_name = &third;
    message.msg_namelen = sizeof(third);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    must(::sendmsg(fd, &message, 0), "sendmsg");
    expect(at_v4(34572));

    Ring ring;
    third = v4(34573);
    io_uring_sqe request{};
    request.opcode = IORING_OP_SENDMSG;
    request.flags = IOSQE_ASYNC;
    request.fd = fd;
    request.addr = reinterpret_cast<uintptr_t>(&message);
    request.len = 1;
    must(ring.run(request), "sendmsg by io_uring");
    expect(at_v4(34573));
  });
}
