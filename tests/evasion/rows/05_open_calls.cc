// Each system call that opens a file by its name.
#include <linux/openat2.h>

#include "tests/evasion/rows/row.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    const auto expect = [](const std::string& path) {
      truth({{"kind", "open"}, {"path", path}, {"ino", ino_of(path)}, {"claimed", path}});
    };
    for (const char* name : {"open", "openat", "openat2", "creat"}) {
      const std::string path = scratch + "/" + name;
      ::close(must(::open(path.c_str(), O_CREAT | O_RDWR, 0644), name));
    }
    const std::string a = scratch + "/open", b = scratch + "/openat", c = scratch + "/openat2", d = scratch + "/creat";
    must(::syscall(SYS_open, a.c_str(), O_RDONLY), "open");
    must(::syscall(SYS_openat, AT_FDCWD, b.c_str(), O_RDONLY), "openat");
    open_how how{};
    must(::syscall(SYS_openat2, AT_FDCWD, c.c_str(), &how, sizeof(how)), "openat2");
    must(::syscall(SYS_creat, d.c_str(), 0600), "creat");
    for (const std::string& path : {a, b, c, d}) expect(path);
  });
}
