#pragma once

#include <chrono>
#include <cstdint>

#include "base/result.h"

namespace cairn::recorder {

struct SandboxLimits {
  std::chrono::seconds cpu{60};               // then SIGXCPU ends it
  uint64_t memory_bytes = uint64_t{1} << 30;  // of address space; not under a sanitizer, which takes terabytes
  uint64_t file_bytes = uint64_t{1} << 32;    // no file it writes grows beyond
};

// From here on this process can compute, and read and write the descriptors that it has: no file is opened, no socket
// made, no process started, nothing made executable (seccomp(2) kills it; opening a file fails with EACCES, since
// libraries try). It has a low priority and dies with its parent. For good.
//   fails  the kernel refuses: then do not go on
Result<void> enter_sandbox(const SandboxLimits& limits);

}  // namespace cairn::recorder
