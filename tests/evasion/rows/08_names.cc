// One file by other names: a symbolic link, dots, a descriptor's folder, /proc/self/root, deleted, O_TMPFILE, a hard
// link.
#include "tests/evasion/rows/row.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    const std::string path = make_file("file");
    must(::mkdir("folder", 0755), "mkdir");
    must(::symlink("../file", "folder/symbolic"), "symlink");
    must(::link("file", "hard"), "link");
    const int folder = must(::open("folder", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open folder");
    for (const std::string& name :
         {std::string("folder/symbolic"), std::string("folder/.././file"), "/proc/self/root" + path}) {
      must(::open(name.c_str(), O_RDONLY | O_CLOEXEC), name.c_str());
      truth({{"kind", "open"}, {"path", path}, {"ino", ino_of(path)}, {"claimed", name}});
    }
    must(::openat(folder, "../file", O_RDONLY | O_CLOEXEC), "openat");
    truth({{"kind", "open"}, {"path", path}, {"claimed", "../file"}});
    must(::open("hard", O_RDONLY | O_CLOEXEC), "hard");
    truth({{"kind", "open"}, {"path", scratch + "/hard"}, {"ino", ino_of(path)}});

    const int deleted = must(::open(make_file("deleted").c_str(), O_RDWR | O_CLOEXEC), "deleted");
    must(::unlink("deleted"), "unlink");
    must(::open(("/proc/self/fd/" + std::to_string(deleted)).c_str(), O_RDONLY | O_CLOEXEC), "deleted again");
    truth({{"kind", "open"}, {"path", scratch + "/deleted"}, {"ino", ino_of(deleted)}, {"flag", "deleted"}});

    const int unnamed = ::open(scratch.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (unnamed >= 0) truth({{"kind", "open"}, {"ino", ino_of(unnamed)}, {"flag", "deleted"}});
  });
}
