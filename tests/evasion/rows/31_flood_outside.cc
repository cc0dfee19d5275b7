// Processes outside open files as fast as they can, while a thousand opens are made inside.
#include "tests/evasion/rows/row.h"

using namespace row;

int main(int argc, char** argv) {
  return run(
      argc, argv,
      [] {
        for (int i = 0; i < 1000; ++i) open_marker("file-" + std::to_string(i));
      },
      [] {
        const std::string path = make_file("flooded");
        ready();
        for (int i = 0; i < 2000000; ++i) ::close(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        for (;;) ::pause();
      });
}
