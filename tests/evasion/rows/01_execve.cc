// A program is executed.
#include "tests/evasion/rows/row.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    const std::string program = copy_of_self("executed");
    in_child([&] { ::execl(program.c_str(), "another-name", "one argument", nullptr); });
    truth({{"kind", "exec"}, {"path", program}, {"ino", ino_of(program)}, {"argv", "another-name one argument"}});
  });
}
