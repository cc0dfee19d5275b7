#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace cairn::agent {

// What a kernel class of events is called, and what of it was not seen.
struct CanaryReport {
  std::vector<std::string> seen;    // classes: "exec", "open", ...
  std::vector<std::string> missed;  // what was done and made no event, though its hook is in force
};

// Does one operation of each class in a session of its own and looks whether each made its event: that programs are
// loaded and attached is no proof that they see. Leaves nothing behind. Takes some milliseconds; blocks.
//   bpf_dir  where CaptureHost has pinned its programs
//   program  argv of a program that ends at once; the first is its path
//   fails    as SessionCapture::open; Errc::kUnavailable: the canary did not end within five seconds
Result<CanaryReport> run_canary(const std::filesystem::path& bpf_dir, const std::vector<std::string>& program);

}  // namespace cairn::agent
