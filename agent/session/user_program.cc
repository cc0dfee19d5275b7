#include "agent/session/user_program.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fmt/format.h>

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 declares it without C linkage; 2.37 does not need this
}

#include "agent/session/forwarder.h"
#include "agent/session/pidfd.h"
#include "base/file.h"
#include "base/spawn.h"

namespace cairn::agent {
namespace {

constexpr int kNotFound = 127;       // as sh(1) says
constexpr int kNotExecutable = 126;  // likewise

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

void say(const std::string& sentence) { (void)write_all(STDERR_FILENO, fmt::format("cairn: {}\n", sentence)); }

// The name of the first call that was refused, or nullptr.
const char* become(const Account& account) {
  if (::setresgid(account.gid, account.gid, account.gid) != 0) return "setresgid";
  if (::setresuid(account.uid, account.uid, account.uid) != 0) return "setresuid";
  // Proof that it is for good. A security module or an odd kernel that lets us back would leave a person root.
  if (account.uid != 0 && ::setresuid(0, 0, 0) == 0) return "becoming root again succeeded: setresuid";
  return nullptr;
}

void reset_signals() {
  for (int number = 1; number < NSIG; ++number) std::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// In the child. Never returns.
[[noreturn]] void run(const UserProgramPlan& plan, char* const* argv, char* const* environment) {
  ::setsid();
  if (plan.has_pty && ::ioctl(STDIN_FILENO, TIOCSCTTY, 0) != 0)
    say(fmt::format("no controlling terminal: {}", std::strerror(errno)));
  if (const char* refused = become(plan.account); refused != nullptr) {
    say(fmt::format("cannot become {}: {}: {}", plan.account.name, refused, std::strerror(errno)));
    ::_exit(kNotStarted);
  }
  if (::chdir(plan.account.home.c_str()) != 0) {
    say(fmt::format("no home directory {}: {}; you are in /", plan.account.home, std::strerror(errno)));
    if (::chdir("/") != 0) ::_exit(kNotStarted);
  }
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  reset_signals();
  if (plan.is_forwarder) ::_exit(run_forwarder(STDIN_FILENO, plan.account));
  ::execve(plan.account.shell.c_str(), argv, environment);
  const int reason = errno;
  say(fmt::format("cannot run the shell {}: {}", plan.account.shell, std::strerror(reason)));
  ::_exit(reason == ENOENT ? kNotFound : kNotExecutable);
}

}  // namespace

UserProgramPlan shell_plan(Account account, std::vector<std::string> environment, bool has_pty) {
  UserProgramPlan plan;
  plan.argv0 = "-" + base_name(account.shell);
  plan.account = std::move(account);
  plan.environment = std::move(environment);
  plan.has_pty = has_pty;
  return plan;
}

UserProgramPlan command_plan(Account account, std::string command, std::vector<std::string> environment, bool has_pty) {
  UserProgramPlan plan;
  plan.argv0 = base_name(account.shell);
  plan.arguments = {"-c", std::move(command)};
  plan.account = std::move(account);
  plan.environment = std::move(environment);
  plan.has_pty = has_pty;
  return plan;
}

UserProgramPlan forwarder_plan(Account account) {
  UserProgramPlan plan;
  plan.account = std::move(account);
  plan.is_forwarder = true;
  return plan;
}

Result<UserProgram> start_user_program(const UserProgramPlan& plan) {
  std::vector<std::string> arguments{plan.argv0};
  arguments.insert(arguments.end(), plan.arguments.begin(), plan.arguments.end());
  const std::vector<char*> argv = pointers_to(arguments);
  const std::vector<char*> environment = pointers_to(plan.environment);
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("fork");
  if (pid == 0) run(plan, argv.data(), environment.data());
  UniqueFd pidfd = open_pidfd(pid);
  if (!pidfd) return fail_errno("pidfd_open");
  return UserProgram{.pid = pid, .pidfd = std::move(pidfd)};
}

}  // namespace cairn::agent
