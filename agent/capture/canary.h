#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "agent/capture/session_capture.h"
#include "base/result.h"

namespace cairn::agent {

// What a kernel class of events is called, and what of it was not seen.
struct CanaryReport {
  std::vector<std::string> seen;    // classes: "exec", "open", ...
  std::vector<std::string> missed;  // what was done and made no event, though its hook is in force
  uint64_t missed_classes = 0;      // the same, a bit for each
};

// Classes of CanaryReport::missed_classes by name: "open, connect".
std::string canary_class_names(uint64_t classes);

// Does one operation of each class in a session of its own and looks whether each made its event: that programs are
// loaded and attached is no proof that they see. Leaves nothing behind.
class Canary {
 public:
  //   bpf_dir  where CaptureHost has pinned its programs
  //   program  argv of a program that ends at once; the first is its path
  //   session_key  of its session
  //   fails    as SessionCapture::open
  static Result<Canary> open(const std::filesystem::path& bpf_dir, std::vector<std::string> program,
                             uint64_t session_key);

  // Once. Takes some milliseconds; blocks.
  //   fails  Errc::kUnavailable: it did not end within five seconds, or the host did not let it do its operations, so
  //          that missing events prove nothing
  Result<CanaryReport> sing();

 private:
  Canary(SessionCapture capture, std::vector<std::string> program)
      : capture_(std::move(capture)), program_(std::move(program)) {}

  SessionCapture capture_;
  std::vector<std::string> program_;
};

// open() and sing() in one.
Result<CanaryReport> run_canary(const std::filesystem::path& bpf_dir, const std::vector<std::string>& program);

}  // namespace cairn::agent
