#pragma once

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace cairn::agent {

// pidfd_open(2) of a child that has not been reaped; close-on-exec by nature. Empty with errno set when refused.
// By number: sys/pidfd.h of glibc 2.36 forgot extern "C" (fixed in 2.37), so C++ does not link against its function.
inline UniqueFd open_pidfd(pid_t child) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0))); }

}  // namespace cairn::agent
