#include "agent/session/login_process.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "agent/session/control_socket.h"
#include "agent/session/pidfd.h"

namespace cairn::agent {
namespace {

constexpr int kControlFd = 3;

class SpawnPlan {
 public:
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
  }
  ~SpawnPlan() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&actions_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  // Returns 0 or the errno value of the call that was refused.
  int prepare(const LoginDescriptors& descriptors, int control) {
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    int refused = ::posix_spawn_file_actions_adddup2(&actions_, descriptors.input.get(), STDIN_FILENO);
    if (refused == 0) refused = ::posix_spawn_file_actions_adddup2(&actions_, descriptors.output.get(), STDOUT_FILENO);
    if (refused == 0) refused = ::posix_spawn_file_actions_adddup2(&actions_, descriptors.errors.get(), STDERR_FILENO);
    // Last: 3 may be one of the others until here.
    if (refused == 0) refused = ::posix_spawn_file_actions_adddup2(&actions_, control, kControlFd);
    if (refused == 0) refused = ::posix_spawn_file_actions_addclosefrom_np(&actions_, kControlFd + 1);
    if (refused == 0) refused = ::posix_spawnattr_setsigmask(&attributes_, &none);
    if (refused == 0) refused = ::posix_spawnattr_setsigdefault(&attributes_, &all);
    if (refused == 0) {
      refused =
          ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    }
    return refused;
  }

  int spawn(pid_t* pid, const char* program, char* const* argv, char* const* environment) const {
    return ::posix_spawn(pid, program, &actions_, &attributes_, argv, environment);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

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

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

}  // namespace

Result<LoginProcess> LoginProcess::spawn(const std::vector<std::string>& program, LoginDescriptors descriptors) {
  Result<ControlPair> control = make_control_pair();
  if (!control) return fail(control, "start a login process");
  SpawnPlan plan;
  if (const int refused = plan.prepare(descriptors, control->login.get()); refused != 0)
    return fail_errno(refused, "prepare a login process");
  std::vector<std::string> arguments = program;
  std::vector<std::string> environment = login_process_environment();
  const std::vector<char*> envp = pointers(environment);
  arguments.front() = "cairn-agent";
  const std::vector<char*> argv = pointers(arguments);
  pid_t pid = 0;
  if (const int refused = plan.spawn(&pid, program.front().c_str(), argv.data(), envp.data()); refused != 0)
    return fail_errno(refused, fmt::format("start a login process ({})", program.front()));
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
