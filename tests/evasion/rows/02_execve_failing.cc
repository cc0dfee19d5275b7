// Executions that fail: no such file, no permission to execute.
#include "tests/evasion/rows/row.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    const std::string file = make_file("not-executable");
    ::execl("/nonexistent/program", "x", nullptr);
    ::execl(file.c_str(), "x", nullptr);
    claim({{"kind", "exec"}, {"filename", "/nonexistent/program"}, {"result", std::to_string(-ENOENT)}});
    claim({{"kind", "exec"}, {"filename", file}, {"result", std::to_string(-EACCES)}});
  });
}
