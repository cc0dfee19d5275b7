// A process rewrites its own name, after it was recorded.
#include <sys/prctl.h>

#include "tests/evasion/rows/row.h"

using namespace row;

int main(int argc, char** argv) {
  if (argc == 2) {  // executed by the one below
    ::memset(argv[0], 'z', std::strlen(argv[0]));
    ::prctl(PR_SET_NAME, "innocent");
    return 0;
  }
  return run(argc, argv, [] {
    const std::string program = copy_of_self("real-name");
    in_child([&] { ::execl(program.c_str(), "real-name", "argument", nullptr); });
    truth({{"kind", "exec"}, {"path", program}, {"argv", "real-name argument"}, {"comm", "real-name"}});
  });
}
