// Code comes into a process without execve(2): mapped from a file, and written into anonymous memory.
#include "tests/evasion/rows/row.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    const int fd = must(::open(copy_of_self("library").c_str(), O_RDONLY | O_CLOEXEC), "open");
    if (::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED) die("mmap");
    truth({{"kind", "tamper"}, {"op", "map_exec"}, {"path", scratch + "/library"}});
    void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) die("mmap");
    must(::mprotect(memory, 4096, PROT_READ | PROT_EXEC), "mprotect");
    truth({{"kind", "tamper"}, {"op", "map_exec"}, {"path", ""}});
  });
}
