#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <string_view>

#include "base/result.h"
#include "recorder/derive/sandbox.h"

namespace cairn::recorder {

struct RecompressRequest {
  int from = -1;  // descriptors, borrowed for the call; each as in RecompressJob
  int to = -1;
  std::string_view secret;  // of the recording; empty: it is not encrypted
  SandboxLimits limits;
  std::chrono::seconds patience{300};                // wall time of each of the two, then it is killed
  std::filesystem::path program = "/proc/self/exe";  // one whose main() asks is_recompress_process()
  const std::atomic<bool>* is_given_up = nullptr;    // once true they are killed; nullptr: never
};

// recompress() and then, in a process that has seen nothing of the original's payloads decompressed before,
// check_recompressed(): each can do nothing else. Blocks until both have ended.
//   fails  with what they say, or how they died; what `to` holds is of no use then
Result<void> run_recompress_process(const RecompressRequest& request);

// For main(), before anything else: this process is to do one of the two, and nothing but run_as_recompress_process().
bool is_recompress_process(int argc, const char* const* argv);
int run_as_recompress_process();

}  // namespace cairn::recorder
