#pragma once

#include <filesystem>

#include "base/result.h"
#include "base/unique_fd.h"

namespace cairn::agent {

// One supervisor per data directory: an exclusive flock(2) on DATA_DIR/agent.lock, which holds the owner's pid for
// people. The kernel releases it when the process ends, however it ends.
class DataLock {
 public:
  //   fails  kAlreadyExists: names the pid of who holds it. An errno.
  static Result<DataLock> take(const std::filesystem::path& data_dir);

 private:
  explicit DataLock(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace cairn::agent
