// Sockets of other families: packets of the wire, virtual machines, unix.
#include <linux/if_ether.h>
#include <linux/vm_sockets.h>

#include "tests/evasion/rows/net.h"

using namespace row;

int main(int argc, char** argv) {
  return run(
      argc, argv,
      [] {
        if (::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)) >= 0) {
          truth({{"kind", "socket"}, {"op", "socket"}, {"family", "packet"}});
        }
        const int machine = ::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (machine >= 0) {
          sockaddr_vm to{};
          to.svm_family = AF_VSOCK;
          to.svm_cid = 1;
          to.svm_port = 4711;
          ::connect(machine, as_sockaddr(to), sizeof(to));
          truth({{"kind", "socket"}, {"op", "connect"}, {"family", "vsock"}, {"remote", "vsock:1:4711"}});
        }
        sockaddr_un to{};
        to.sun_family = AF_UNIX;
        std::strcpy(to.sun_path, "listener");
        const int fd = must(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
        must(::connect(fd, as_sockaddr(to), sizeof(to)), "connect");
        truth(
            {{"kind", "socket"}, {"op", "connect"}, {"remote", "listener"}, {"target", std::to_string(outside_pid())}});
      },
      [] {
        sockaddr_un at{};
        at.sun_family = AF_UNIX;
        std::strcpy(at.sun_path, "listener");
        const int fd = must(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
        must(::bind(fd, as_sockaddr(at), sizeof(at)), "bind");
        must(::listen(fd, 8), "listen");
        wait_for_ever();
      });
}
