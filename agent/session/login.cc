#include "agent/session/login.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "agent/session/account.h"
#include "agent/session/control_socket.h"
#include "agent/session/login_environment.h"
#include "agent/session/pam_session.h"
#include "tunnel/networks.h"
#include "agent/session/ssh_signal.h"
#include "agent/session/user_program.h"
#include "agent/session/utmp_entry.h"
#include "base/file.h"
#include "proto/agent.pb.h"

namespace cairn::agent {
namespace {

constexpr int kControlFd = 3;

// Nobody reads on once the person has gone; that is no reason to end before PAM is closed.
void say(std::string_view text) { (void)write_all(STDERR_FILENO, text); }

// The program may reopen its own descriptors (/dev/stderr), and mesg(1) change its terminal.
Result<void> give_descriptors(const Account& account, bool has_pty) {
  if (!has_pty) {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
      if (::fchown(fd, account.uid, account.gid) != 0) return fail_errno(fmt::format("give descriptor {}", fd));
    }
    return {};
  }
  const struct group* tty_group = ::getgrnam("tty");
  const gid_t gid = tty_group != nullptr ? tty_group->gr_gid : account.gid;
  if (::fchown(STDIN_FILENO, account.uid, gid) != 0) return fail_errno("give the terminal");
  if (::fchmod(STDIN_FILENO, tty_group != nullptr ? 0620 : 0600) != 0) return fail_errno("protect the terminal");
  return {};
}

// The reader of the output must see its end when the program's last copy is closed.
void let_go_of_descriptors() {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (null) ::dup2(null.get(), fd);
    if (!null) ::close(fd);
  }
}

void signal_program(const UserProgram& program, int number) {
  // Its group begins to exist with its setsid(2), a moment after fork(2).
  if (::kill(-program.pid, number) != 0 && errno == ESRCH) ::kill(program.pid, number);
}

// What the worker has to say while the program runs. False: nothing more will come.
bool heed_worker(const UserProgram& program, bool* is_detached) {
  v1::ToLogin message;
  const Result<bool> received = receive_control(kControlFd, &message, Waiting::kForMessage);
  if (!received) {
    // The worker is dead: nobody records what the program does from now on.
    if (!*is_detached) {
      signal_program(program, SIGHUP);
      signal_program(program, SIGCONT);
    }
    return false;
  }
  if (message.has_detach()) *is_detached = true;
  if (const int number = signal_number(message.signal().name()); number != 0) signal_program(program, number);
  return true;
}

v1::LoginEnded collect(const UserProgram& program) {
  int status = 0;
  while (::waitpid(program.pid, &status, 0) < 0 && errno == EINTR) {
  }
  v1::LoginEnded ended;
  if (WIFSIGNALED(status)) {
    ended.set_signal(static_cast<uint32_t>(WTERMSIG(status)));
    ended.set_core_dumped(WCOREDUMP(status));
  } else {
    ended.set_exit_status(static_cast<uint32_t>(WEXITSTATUS(status)));
  }
  return ended;
}

// Until the program ends, for as long as that takes.
v1::LoginEnded attend(const UserProgram& program) {
  bool is_detached = false;
  std::array<struct pollfd, 2> waits{{{.fd = program.pidfd.get(), .events = POLLIN, .revents = 0},
                                      {.fd = kControlFd, .events = POLLIN, .revents = 0}}};
  for (;;) {
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) break;
    if (waits[0].revents != 0) break;
    if (waits[1].revents != 0 && !heed_worker(program, &is_detached)) waits[1].fd = -1;
  }
  return collect(program);
}

// The message of the day is for a person at a shell (sshd(8), LOGIN PROCESS), not for the bytes of scp.
bool wants_news(const Account& account, const v1::LoginStart& start) {
  const std::string hush_file = account.home + "/.hushlogin";
  return start.has_pty() && start.has_shell() && ::access(hush_file.c_str(), F_OK) != 0;
}

// PAM and the account's groups; what modules have to say goes to the person.
Result<PamSession> pass_pam(const Account& account, const v1::LoginStart& start) {
  PamSession::Subject subject{.login = account.name,
                              .user = start.user(),
                              .client_host = std::string(tunnel::host_of(start.client_address())),
                              .tty = start.has_pty() ? start.tty() : "ssh",
                              .service_dir = start.pam_dir()};
  Result<PamSession> pam = PamSession::start(std::move(subject));
  if (!pam) return pam;
  ::umask(022);  // unless pam_umask knows better
  Result<void> passed = pam->admit();
  // Before the credentials: pam_group adds to the account's own groups.
  if (passed && ::initgroups(account.name.c_str(), account.gid) != 0) passed = fail_errno("initgroups");
  if (passed) passed = pam->open();
  const std::string messages = pam->take_messages();
  say(pam->take_errors());
  if (!passed) return fail(passed);
  if (wants_news(account, start)) say(messages);
  return pam;
}

UserProgramPlan plan_program(const Account& account, const v1::LoginStart& start,
                             std::vector<std::string> environment) {
  if (start.has_forwarder()) return forwarder_plan(account);
  if (start.has_command()) return command_plan(account, start.command(), std::move(environment), start.has_pty());
  return shell_plan(account, std::move(environment), start.has_pty());
}

void report(const v1::FromLogin& message) { (void)send_control(kControlFd, message); }

// From the open gate to the closed PAM session.
Result<void> log_in(const v1::LoginStart& start) {
  const Result<Account> account = find_account(start.login());
  if (!account) return fail(account);
  const Result<PamSession> pam = pass_pam(*account, start);
  if (!pam) return fail(pam);
  if (Result<void> given = give_descriptors(*account, start.has_pty()); !given) return given;
  std::optional<UtmpEntry> entry;
  if (start.has_pty())
    entry.emplace(account->name, start.tty(), std::string(tunnel::host_of(start.client_address())), ::getpid());
  std::vector<std::string> environment = login_environment(*account, start, pam->environment());
  const Result<UserProgram> program = start_user_program(plan_program(*account, start, std::move(environment)));
  if (!program) return fail(program);
  let_go_of_descriptors();
  v1::FromLogin message;
  *message.mutable_ended() = attend(*program);
  // Ahead of the PAM session's end, which may take its time and concerns the person no more.
  report(message);
  return {};
}

}  // namespace

int run_login() {
  std::signal(SIGPIPE, SIG_IGN);
  ::fcntl(kControlFd, F_SETFD, FD_CLOEXEC);
  v1::ToLogin message;
  const Result<bool> received = receive_control(kControlFd, &message, Waiting::kForMessage);
  // The gate never opened: the worker could not tag us, or is gone.
  if (!received || !message.has_start()) return 1;
  const Result<void> done = log_in(message.start());
  if (done) return 0;
  say(fmt::format("cairn: {}\n", done.error().message));
  v1::FromLogin refusal;
  refusal.mutable_refused()->set_reason(done.error().message);
  report(refusal);
  return 1;
}

}  // namespace cairn::agent
