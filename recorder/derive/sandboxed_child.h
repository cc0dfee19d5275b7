#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "recorder/derive/sandbox.h"

namespace cairn::recorder {

// This program started once more under another name, to do one job on what it is handed and nothing else: both sides.

struct ChildDescriptor {
  int fd = -1;  // borrowed for the call; -1: left out
  int as = -1;  // 3 to 9
};

struct ChildJob {
  const char* name = nullptr;  // by which its main() knows what it is to be
  std::string_view input;      // what child_input() gives it; may hold secrets
  std::span<const ChildDescriptor> descriptors;
  std::chrono::seconds patience{300};                // wall time, then it is killed
  std::filesystem::path program = "/proc/self/exe";  // one whose main() asks is_child()
  const std::atomic<bool>* is_given_up = nullptr;    // once true it is killed; nullptr: never
};

// Blocks until it has ended.
//   fails  with what it says, or how it died; kTimeout, kClosed: it was killed for want of patience, or given up
Result<void> run_child(const ChildJob& job);

// For the child.
bool is_child(const char* name, int argc, const char* const* argv);
// The input, of `least_bytes` to `most_bytes`.
Result<std::string> child_input(size_t least_bytes, size_t most_bytes);
// Ends the process, and says why where it has failed. No destructors and no exit handlers: the sandbox would kill some
// of them.
[[noreturn]] void end_child(const Result<void>& done);

// Limits as they stand at the beginning of an input.
constexpr size_t kLimitsBytes = 24;
std::string encode_limits(const SandboxLimits& limits);
SandboxLimits decode_limits(std::string_view input);  // of at least kLimitsBytes

}  // namespace cairn::recorder
