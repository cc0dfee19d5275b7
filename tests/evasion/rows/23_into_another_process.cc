// ptrace(2) into a process outside the session, which is made to open a file; process_vm_writev(2) into another.
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "tests/evasion/rows/row.h"

using namespace row;

int main(int argc, char** argv) {
  return run(
      argc, argv,
      [] {
        const pid_t victim = outside_pid();
        must(::ptrace(PTRACE_ATTACH, victim, nullptr, nullptr), "attach");
        ::waitpid(victim, nullptr, 0);
        user_regs_struct before{};
        must(::ptrace(PTRACE_GETREGS, victim, nullptr, &before), "registers");
        // The victim waits in pause(2) with the path in rdi's buffer: it opens what it had prepared when it is told to.
        must(::ptrace(PTRACE_DETACH, victim, nullptr, reinterpret_cast<void*>(SIGUSR1)), "detach");
        const std::string done = scratch + "/injected";
        for (int i = 0; i < 200 && ::access(done.c_str(), F_OK) != 0; ++i) ::usleep(10000);
        truth({{"kind", "tamper"}, {"op", "ptrace"}, {"target", std::to_string(victim)}});
        truth({{"kind", "open"}, {"path", done}, {"flag", "injected"}, {"pid", std::to_string(victim)}});
      },
      [] {
        ::signal(SIGUSR1, [](int) { ::close(::open("injected", O_CREAT | O_WRONLY | O_CLOEXEC, 0600)); });
        wait_for_ever();
      });
}
