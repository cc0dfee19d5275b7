#include "agent/session/login_process.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "agent/session/control_socket.h"
#include "agent/session/pidfd.h"
#include "base/spawn.h"

namespace cairn::agent {
namespace {

constexpr int kControlFd = 3;

// Of the worker's own environment only what a sanitizer reads; PAM's modules shall see no more, the person's program
// not even that.
std::vector<std::string> login_process_environment() {
  std::vector<std::string> environment{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
  for (const char* name : {"ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name); value != nullptr)
      environment.push_back(fmt::format("{}={}", name, value));
  }
  return environment;
}

}  // namespace

Result<LoginProcess> LoginProcess::spawn(const std::vector<std::string>& program, LoginDescriptors descriptors) {
  Result<ControlPair> control = make_control_pair();
  if (!control) return fail(control, "start a login process");
  SpawnPlan plan{.program = program.front(),
                 .arguments = program,
                 .environment = login_process_environment(),
                 .descriptors = {{.fd = descriptors.input.get(), .as = STDIN_FILENO},
                                 {.fd = descriptors.output.get(), .as = STDOUT_FILENO},
                                 {.fd = descriptors.errors.get(), .as = STDERR_FILENO},
                                 {.fd = control->login.get(), .as = kControlFd}},
                 .leads_session = true};
  plan.arguments.front() = "cairn-agent";
  const Result<pid_t> started = cairn::spawn(plan);
  if (!started) return fail(started, "login process");
  const pid_t pid = *started;
  UniqueFd pidfd = open_pidfd(pid);
  if (!pidfd) {
    const Failure refused = fail_errno("pidfd_open of a login process");
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return refused;
  }
  return LoginProcess(pid, std::move(pidfd), std::move(control->worker));
}

Result<void> LoginProcess::open_gate(v1::LoginStart start) {
  v1::ToLogin message;
  *message.mutable_start() = std::move(start);
  return send_control(control_.get(), message);
}

void LoginProcess::end_at_gate() {
  control_.reset();
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  is_reaped_ = true;
}

void LoginProcess::send_signal(std::string_view name) {
  if (!control_) return;
  v1::ToLogin message;
  message.mutable_signal()->set_name(std::string(name));
  (void)send_control(control_.get(), message);
}

void LoginProcess::detach() {
  if (!control_) return;
  v1::ToLogin message;
  message.mutable_detach();
  (void)send_control(control_.get(), message);
}

std::optional<v1::FromLogin> LoginProcess::receive() {
  if (!control_) return std::nullopt;
  v1::FromLogin message;
  const Result<bool> received = receive_control(control_.get(), &message, Waiting::kNot);
  if (received && !*received) return std::nullopt;
  // Every message is the last one.
  control_.reset();
  if (!received)
    message.mutable_refused()->set_reason(fmt::format("the login process died: {}", received.error().message));
  return message;
}

bool LoginProcess::reap() {
  if (is_reaped_) return true;
  const pid_t ended = ::waitpid(pid_, nullptr, WNOHANG);
  is_reaped_ = ended == pid_ || (ended < 0 && errno == ECHILD);
  return is_reaped_;
}

}  // namespace cairn::agent
