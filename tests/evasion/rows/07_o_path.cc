// O_PATH: a descriptor that no open hook of the security modules sees.
#include "tests/evasion/rows/row.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    const std::string path = make_file("by-o-path");
    const int fd = must(::open(path.c_str(), O_PATH | O_CLOEXEC), "open");
    truth({{"kind", "open"}, {"path", path}, {"result", std::to_string(fd)}, {"ino", ino_of(fd)}});
  });
}
