#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/spawn.h"
#include "base/unique_fd.h"
#include "recorder/derive/sandbox.h"

namespace cairn::recorder {

// This very program, started anew for work on hostile bytes: main() knows it by its name and has it enter_sandbox()
// before it looks at them. Its standard output and error are kept, for the sentence with which it fails.
class SandboxedProcess {
 public:
  //   name     what it is called
  //   program  one whose main() asks is_sandboxed()
  static Result<SandboxedProcess> start(const char* name, std::span<const HandedDescriptor> descriptors,
                                        const std::filesystem::path& program = "/proc/self/exe");
  SandboxedProcess(SandboxedProcess&& other) noexcept;
  SandboxedProcess& operator=(SandboxedProcess&&) = delete;
  ~SandboxedProcess();  // one that still runs is killed

  // Blocks until it has ended; once.
  //   work   what it was to do, for sentences: "deriving"
  //   is_given_up  once true it is killed; nullptr: never
  //   fails  kTimeout: it took longer than `patience` and was killed. kClosed: it was given up. kUnavailable: a signal
  //          ended it. kCorrupt and kTooLarge: with what it said
  Result<void> wait(std::string_view work, std::chrono::seconds patience, const std::atomic<bool>* is_given_up);

 private:
  SandboxedProcess(pid_t child, UniqueFd errors) : child_(child), errors_(std::move(errors)) {}

  pid_t child_;  // 0: waited for
  UniqueFd errors_;
};

// One that is given all of its input at once.
struct SandboxedJob {
  const char* name = nullptr;
  std::string_view work;   // as of SandboxedProcess::wait
  std::string_view input;  // what sandboxed_input() gives it; may hold secrets
  std::span<const HandedDescriptor> descriptors;
  std::chrono::seconds patience{300};
  std::filesystem::path program = "/proc/self/exe";
  const std::atomic<bool>* is_given_up = nullptr;
};
// Blocks until it has ended.
//   fails  as SandboxedProcess::wait
Result<void> run_sandboxed(const SandboxedJob& job);

// For main(): this process is one of that name.
bool is_sandboxed(const char* name, int argc, const char* const* argv);
// For the process: its input, of `least_bytes` to `most_bytes`.
Result<std::string> sandboxed_input(size_t least_bytes, size_t most_bytes);
// How it ends. No destructors and no exit handlers: the sandbox would kill some of them.
[[noreturn]] void end_sandboxed(const Result<void>& done);

// Limits as they stand at the beginning of an input.
constexpr size_t kLimitsBytes = 24;
std::string encode_limits(const SandboxLimits& limits);
SandboxLimits decode_limits(std::string_view input);  // of at least kLimitsBytes

}  // namespace cairn::recorder
