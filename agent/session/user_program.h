#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "agent/session/account.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace cairn::agent {

// A program that runs as another account: the child of a login process.
struct UserProgram {
  pid_t pid = 0;
  UniqueFd pidfd;
};

struct UserProgramPlan {
  Account account;
  std::string argv0;
  std::vector<std::string> arguments;    // after argv0
  std::vector<std::string> environment;  // whole
  bool has_pty = false;                  // descriptor 0 becomes its controlling terminal
  bool is_forwarder = false;             // no program: run_forwarder() on descriptor 0
};

// The plan for an account's login shell ("-bash"), or for `command` handed to that shell with -c.
UserProgramPlan shell_plan(Account account, std::vector<std::string> environment, bool has_pty);
UserProgramPlan command_plan(Account account, std::string command, std::vector<std::string> environment, bool has_pty);
// The plan for a child that opens sockets for the session.
UserProgramPlan forwarder_plan(Account account);

// Forks; the child leads a session of its own, becomes the account for good, goes to its home (or to / with a word on
// descriptor 2), and executes the account's shell with descriptors 0, 1, 2 and no other, all signals at their default.
// What keeps it from that it says on descriptor 2, and ends with kNotStarted. Call it with one thread.
Result<UserProgram> start_user_program(const UserProgramPlan& plan);

constexpr int kNotStarted = 254;  // as sshd, when it cannot become the user

}  // namespace cairn::agent
