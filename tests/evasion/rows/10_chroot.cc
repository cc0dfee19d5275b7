// In a chroot the same path means another file.
#include "tests/evasion/rows/row.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    must(::mkdir("jail", 0755), "mkdir");
    const std::string file = make_file("jail/file");
    const std::string ino = ino_of(file);
    in_child([] {
      must(::chroot("jail"), "chroot");
      must(::chdir("/"), "chdir");
      must(::open("/file", O_RDONLY | O_CLOEXEC), "open");
    });
    truth({{"kind", "open"}, {"path", file}, {"ino", ino}, {"claimed", "/file"}});
    claim({{"kind", "open"}, {"claimed", "/file"}});
  });
}
