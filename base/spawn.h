#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace cairn {

// A descriptor of this process's, borrowed, and the number under which a new one gets it.
struct HandedDescriptor {
  int fd = -1;
  int as = -1;
};

// How a program is started.
struct SpawnPlan {
  std::filesystem::path program = {};
  std::vector<std::string> arguments = {};         // its name first
  std::vector<std::string> environment = {};       // "NAME=value"
  std::vector<HandedDescriptor> descriptors = {};  // all that it gets, whatever some library opened without O_CLOEXEC
  bool leads_session = false;                      // setsid(2): it outlives our terminal and our process group
  bool begins_at_root = false;                     // in "/"; otherwise where we are
};

// Starts it, with no signal blocked or ignored. Whoever starts it also waits for it.
//   fails  an errno of posix_spawn(3)
Result<pid_t> spawn(const SpawnPlan& plan);

// As exec(3) wants them, with a null pointer at the end; valid for as long as the texts are.
std::vector<char*> pointers_to(const std::vector<std::string>& texts);

// What this process was started with, for one that shall have the same.
std::vector<std::string> own_environment();

}  // namespace cairn
