// Another thread changes the path while the call runs: 20 000 opens, each of which must show the file that was opened.
#include <atomic>
#include <thread>

#include "tests/evasion/rows/row.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    constexpr int kOpens = 20000;
    const std::string first = make_file("first!"), second = make_file("second");
    static char path[4096];
    std::strcpy(path, first.c_str());
    char* name = path + scratch.size() + 1;
    std::atomic<bool> is_over = false;
    std::thread flipper([&] {
      while (!is_over) {
        std::memcpy(name, "second", 6);
        std::memcpy(name, "first!", 6);
      }
    });
    const std::string first_ino = ino_of(first);
    int seconds = 0;
    for (int i = 0; i < kOpens;) {
      const int fd = ::open(path, O_RDONLY | O_CLOEXEC | O_APPEND);  // O_APPEND: the mark of these opens
      if (fd < 0) continue;                                          // the name was half of each
      ++i;
      seconds += ino_of(fd) == first_ino ? 0 : 1;
      ::close(fd);
    }
    is_over = true;
    flipper.join();
    // The runner counts: so many of each, and path and inode agree in all of them.
    truth({{"race", std::to_string(kOpens)},
           {"path", second},
           {"ino", ino_of(second)},
           {"count", std::to_string(seconds)}});
    truth({{"race", std::to_string(kOpens)},
           {"path", first},
           {"ino", first_ino},
           {"count", std::to_string(kOpens - seconds)}});
  });
}
