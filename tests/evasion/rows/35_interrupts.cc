// A timer interrupts ten thousand times a second while files are opened.
#include <sys/time.h>

#include <csignal>

#include "tests/evasion/rows/row.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    ::signal(SIGALRM, [](int) {});
    const itimerval often{.it_interval = {0, 100}, .it_value = {0, 100}};
    must(::setitimer(ITIMER_REAL, &often, nullptr), "setitimer");
    const std::string path = make_file("interrupted");
    int opened = 0;
    for (int i = 0; i < 2000; ++i) {
      const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
      opened += fd >= 0 ? 1 : 0;
      ::close(fd);
    }
    const itimerval never{};
    ::setitimer(ITIMER_REAL, &never, nullptr);
    truth({{"kind", "open"}, {"path", path}, {"at_least", std::to_string(opened)}});
    open_marker("after-the-signals");
  });
}
