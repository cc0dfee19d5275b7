// A bind mount in a private mount namespace gives a file another path.
#include <sys/mount.h>

#include "tests/evasion/rows/row.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    must(::mkdir("secret", 0755), "mkdir");
    must(::mkdir("harmless", 0755), "mkdir");
    const std::string secret = make_file("secret/file");
    must(::unshare(CLONE_NEWNS), "unshare");
    must(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "make mounts private");
    must(::mount((scratch + "/secret").c_str(), (scratch + "/harmless").c_str(), nullptr, MS_BIND, nullptr), "bind");
    must(::open("harmless/file", O_RDONLY | O_CLOEXEC), "open");
    truth(
        {{"kind", "open"}, {"path", scratch + "/harmless/file"}, {"ino", ino_of(secret)}, {"fs_path~", "secret/file"}});
  });
}
