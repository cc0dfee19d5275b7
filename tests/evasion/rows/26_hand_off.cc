// Work is handed to a daemon outside the session: what is left in it is the connection to that daemon.
#include "tests/evasion/rows/net.h"

using namespace row;

int main(int argc, char** argv) {
  return run(
      argc, argv,
      [] {
        sockaddr_un at{};
        at.sun_family = AF_UNIX;
        std::strcpy(at.sun_path, "daemon");
        const int fd = must(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
        must(::connect(fd, as_sockaddr(at), sizeof(at)), "connect");
        must(::write(fd, "run", 3), "write");
        char byte = 0;
        must(::read(fd, &byte, 1), "read");
        truth({{"kind", "socket"}, {"op", "connect"}, {"remote", "daemon"}, {"target", std::to_string(outside_pid())}});
      },
      [] {
        const std::string program = copy_of_self("by-the-daemon");
        sockaddr_un at{};
        at.sun_family = AF_UNIX;
        std::strcpy(at.sun_path, "daemon");
        const int fd = must(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
        must(::bind(fd, as_sockaddr(at), sizeof(at)), "bind");
        must(::listen(fd, 8), "listen");
        ready();
        const int client = must(::accept(fd, nullptr, nullptr), "accept");
        char order[3];
        must(::read(client, order, sizeof(order)), "read");
        in_child([&] { ::execl(program.c_str(), "x", nullptr); });
        must(::write(client, "d", 1), "write");
        for (;;) ::pause();
      });
}
