// Executions, opens and connections at once: no hook misses one because another one runs.
#include <thread>

#include "tests/evasion/rows/net.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    uint16_t port = 0;
    listen_on(AF_INET, &port);
    const std::string path = make_file("stormed"), program = copy_of_self("executed");
    std::thread opens([&] {
      for (int i = 0; i < 10000; ++i) ::close(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    });
    std::thread connects([&] {
      for (int i = 0; i < 1000; ++i) {
        sockaddr_in to = v4(port);
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        must(::connect(fd, as_sockaddr(to), sizeof(to)), "connect");
        ::close(fd);
      }
    });
    for (int i = 0; i < 50; ++i) in_child([&] { ::execl(program.c_str(), "x", nullptr); });
    opens.join();
    connects.join();
    truth({{"kind", "open"}, {"path", path}, {"at_least", "10000"}});
    truth({{"kind", "connect"}, {"remote", at_v4(port)}, {"phase", "attempt"}, {"at_least", "1000"}});
    truth({{"kind", "exec"}, {"path", program}, {"at_least", "50"}});
    open_marker("after-the-storm");
  });
}
