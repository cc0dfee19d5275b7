// The session itself opens files as fast as it can: nothing is lost, or it is counted to the last one.
#include "tests/evasion/rows/row.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    const std::string path = make_file("flooded");
    for (int i = 0; i < 50000; ++i) ::close(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    truth({{"accounted", "yes"}});
    const std::string program = copy_of_self("after-the-flood");
    in_child([&] { ::execl(program.c_str(), "x", nullptr); });
    truth({{"kind", "exec"}, {"path", program}});
  });
}
