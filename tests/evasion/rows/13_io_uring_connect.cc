// io_uring connects: inline, by a worker, by a polling thread.
#include "tests/evasion/rows/net.h"
#include "tests/evasion/rows/uring.h"

using namespace row;

namespace {

void connect_by(Ring& ring, uint8_t flags) {
  uint16_t port = 0;
  listen_on(AF_INET, &port);
  const int fd = must(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  sockaddr_in to = v4(port);
  io_uring_sqe request{};
  request.opcode = IORING_OP_CONNECT;
  request.flags = flags;
  request.fd = fd;
  request.addr = reinterpret_cast<uintptr_t>(&to);
  request.off = sizeof(to);
  must(ring.run(request), "connect");
  truth({{"kind", "connect"}, {"remote", at_v4(port)}, {"phase", "attempt"}});
  truth({{"kind", "connect"}, {"remote", at_v4(port)}, {"phase", "result"}, {"result", "0"}});
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    Ring ring;
    connect_by(ring, 0);
    connect_by(ring, IOSQE_ASYNC);
    Ring polled(IORING_SETUP_SQPOLL);
    connect_by(polled, 0);
  });
}
