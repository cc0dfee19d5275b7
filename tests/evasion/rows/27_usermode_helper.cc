// What the kernel runs itself, as root, outside every session: the program for core dumps.
#include "tests/evasion/rows/row.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    const char* path = "/proc/sys/kernel/core_pattern";
    char pattern[128]{};
    const int reader = must(::open(path, O_RDONLY | O_CLOEXEC), path);
    const ssize_t bytes = must(::read(reader, pattern, sizeof(pattern)), "read");
    const int writer = ::open(path, O_WRONLY | O_CLOEXEC);
    if (writer < 0) skip("core_pattern is not writable here");
    must(::write(writer, pattern, static_cast<size_t>(bytes)), "write");
    truth({{"kind", "open"}, {"path", path}, {"sensitive", "USERMODE_HELPER"}});
  });
}
