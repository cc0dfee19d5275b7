#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/agent.pb.h"

namespace cairn::agent {

// What a login process gets as descriptors 0, 1 and 2.
struct LoginDescriptors {
  UniqueFd input;
  UniqueFd output;
  UniqueFd errors;
};

// The worker's end of one login process (agent/session/login.h): started, held at its gate, let through, listened to,
// buried. One thread.
class LoginProcess {
 public:
  // Starts the login process at its gate: it does nothing before open_gate(). It inherits the three descriptors and
  // its control socket and no other, an environment without the worker's, and no signal mask.
  //   program  path and arguments; /proc/self/exe stays this build when a newer one is installed over it
  static Result<LoginProcess> spawn(const std::vector<std::string>& program, LoginDescriptors descriptors);

  LoginProcess(LoginProcess&&) noexcept = default;
  LoginProcess& operator=(LoginProcess&&) noexcept = default;
  // One that still waits at its gate ends; one that runs hangs its program up, unless detach() was called.
  ~LoginProcess() = default;

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }      // readable once the process has ended
  int control() const { return control_.get(); }  // readable when receive() has something to say; -1: never again

  // Once, after the tag is on.
  Result<void> open_gate(v1::LoginStart start);

  // Instead: kills it and waits for its end.
  void end_at_gate();

  // To the process group of the program; `name` as in RFC 4254 §6.10. Dropped when the login process is not listening.
  void send_signal(std::string_view name);

  // From now on the end of this object does not hang the program up.
  void detach();

  // The next message; nullopt: nothing has come. A login process that dies without a word is told as refused.
  std::optional<v1::FromLogin> receive();

  // Collects the process if it has ended. True: it is gone.
  bool reap();

 private:
  LoginProcess(pid_t pid, UniqueFd pidfd, UniqueFd control)
      : pid_(pid), pidfd_(std::move(pidfd)), control_(std::move(control)) {}

  pid_t pid_;
  UniqueFd pidfd_;
  UniqueFd control_;
  bool is_reaped_ = false;
};

}  // namespace cairn::agent
