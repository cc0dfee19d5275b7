// A program that lies in no file system: by execveat(2) of a descriptor, and through /proc/self/fd.
#include "tests/evasion/rows/row.h"

using namespace row;

namespace {

int memfd_of_self(const char* name) {
  const int from = must(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "open /proc/self/exe");
  const int to = must(::memfd_create(name, 0), "memfd_create");
  char buffer[65536];
  for (ssize_t bytes = 0; (bytes = ::read(from, buffer, sizeof(buffer))) > 0;)
    must(::write(to, buffer, bytes), "write");
  ::close(from);
  return to;
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    char* arguments[] = {const_cast<char*>("x"), nullptr};
    char* environment[] = {nullptr};
    const int by_descriptor = memfd_of_self("by-descriptor");
    in_child([&] { ::syscall(SYS_execveat, by_descriptor, "", arguments, environment, AT_EMPTY_PATH); });
    truth({{"kind", "exec"}, {"path", "/memfd:by-descriptor"}, {"ino", ino_of(by_descriptor)}, {"flag", "memfd"}});

    const int by_path = memfd_of_self("by-path");
    in_child([&] { ::execve(("/proc/self/fd/" + std::to_string(by_path)).c_str(), arguments, environment); });
    truth({{"kind", "exec"}, {"path", "/memfd:by-path"}, {"ino", ino_of(by_path)}, {"flag", "memfd"}});
  });
}
