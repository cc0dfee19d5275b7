#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <span>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace cairn::recorder {

// This very program, started anew for work on hostile bytes: main() knows it by its name and has it enter_sandbox()
// before it looks at them. Its standard output and error are kept, for the sentence with which it fails.
class SandboxedProcess {
 public:
  struct Handed {
    int fd;  // ours, borrowed for the call; -1: passed over
    int as;  // what the process finds it as
  };

  //   name     what it is called
  //   program  one whose main() asks is_sandboxed()
  static Result<SandboxedProcess> start(const char* name, std::span<const Handed> descriptors,
                                        const std::filesystem::path& program = "/proc/self/exe");
  SandboxedProcess(SandboxedProcess&& other) noexcept;
  SandboxedProcess& operator=(SandboxedProcess&&) = delete;
  ~SandboxedProcess();  // one that still runs is killed

  // Blocks until it has ended; once.
  //   work   what it was to do, for sentences: "deriving"
  //   fails  kTimeout: it took longer than `patience` and was killed. kUnavailable: a signal ended it. kCorrupt and
  //          kTooLarge: with what it said
  Result<void> wait(std::string_view work, std::chrono::seconds patience);

 private:
  SandboxedProcess(pid_t child, UniqueFd errors) : child_(child), errors_(std::move(errors)) {}

  pid_t child_;  // 0: waited for
  UniqueFd errors_;
};

// For main(): this process is one of that name.
bool is_sandboxed(const char* name, int argc, const char* const* argv);
// How such a process ends. No destructors and no exit handlers: the sandbox would kill some of them.
[[noreturn]] void end_sandboxed(const Result<void>& done);

// A file in memory, at its beginning.
Result<UniqueFd> memory_file(std::string_view bytes);

}  // namespace cairn::recorder
