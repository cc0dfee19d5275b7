// Opens that fail: no such file, no permission.
#include "tests/evasion/rows/row.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    const std::string forbidden = make_file("forbidden");
    must(::chmod(forbidden.c_str(), 0600), "chmod");
    must(::chmod(scratch.c_str(), 0755), "chmod");
    in_child([&] {
      ::open("/nonexistent/file", O_RDONLY | O_CLOEXEC);
      if (::setgid(65534) != 0 || ::setuid(65534) != 0) die("become nobody");
      ::open(forbidden.c_str(), O_RDONLY | O_CLOEXEC);
    });
    claim({{"kind", "open"}, {"claimed", "/nonexistent/file"}, {"result", std::to_string(-ENOENT)}});
    claim({{"kind", "open"}, {"claimed", forbidden}, {"result", std::to_string(-EACCES)}});
  });
}
