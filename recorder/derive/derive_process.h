#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "recorder/derive/sandbox.h"

namespace cairn::recorder {

struct DeriveRequest {
  int recording = -1;  // descriptors, borrowed for the call; each as in DeriveJob
  int derived = -1;
  int draft = -1;  // -1: none is wanted
  uint64_t pieces_of = 0;
  std::string_view pieces;
  std::string_view secret;  // of the recording; empty: it is not encrypted
  SandboxLimits limits;
  std::chrono::seconds patience{300};                // wall time, then it is killed
  std::filesystem::path program = "/proc/self/exe";  // one whose main() asks is_derive_process()
};

// derive() in a process of its own, which can do nothing else. Blocks until it has ended.
//   fails  with what it says, or how it died; what was derived before stays
Result<void> run_derive_process(const DeriveRequest& request);

// For main(), before anything else: this process is to derive, and does nothing but run_as_derive_process().
bool is_derive_process(int argc, const char* const* argv);
int run_as_derive_process();

}  // namespace cairn::recorder
