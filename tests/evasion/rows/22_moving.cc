// A process moves: double fork, new session, another parent, threads, namespaces, another cgroup. It stays the
// session's.
#include <linux/sched.h>

#include <thread>

#include "tests/evasion/rows/row.h"

using namespace row;

namespace {

void after_unshare(const char* name, int flags) {
  in_child([&] {
    if (::unshare(flags) != 0) ::_exit(0);  // this kernel has them not, or refuses: nothing to see
    in_child([&] { open_marker(name); });
  });
}

void leave_cgroup() {
  const std::string away = "/sys/fs/cgroup/cairn-evasion";
  ::mkdir(away.c_str(), 0755);
  const int fd = ::open((away + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  in_child([&] {
    if (::write(fd, "0", 1) != 1) ::_exit(0);
    truth({{"kind", "tamper"}, {"op", "cgroup"}, {"detail~", "cairn-evasion"}});
    open_marker("after-the-cgroup");
  });
  ::close(fd);
  ::rmdir(away.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    in_child([] {
      in_child([] {
        ::setsid();
        in_child([] { open_marker("double-fork-and-setsid"); });
      });
    });
    clone_args arguments{};
    arguments.flags = CLONE_PARENT;
    const long child = ::syscall(SYS_clone3, &arguments, sizeof(arguments));
    if (child == 0) {
      open_marker("clone-parent");
      ::_exit(0);
    }
    const pid_t vforked = ::vfork();
    if (vforked == 0) ::_exit(0);
    ::waitpid(vforked, nullptr, 0);
    std::thread([] { open_marker("thread"); }).join();
    after_unshare("pid-namespace", CLONE_NEWPID);
    after_unshare("net-namespace", CLONE_NEWNET);
    after_unshare("user-namespace", CLONE_NEWUSER);
    after_unshare("cgroup-namespace", CLONE_NEWCGROUP);
    after_unshare("mount-namespace", CLONE_NEWNS);
    leave_cgroup();
  });
}
