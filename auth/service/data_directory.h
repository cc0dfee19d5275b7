#pragma once

#include <filesystem>
#include <string>

#include "base/data_lock.h"
#include "base/result.h"

namespace cairn::auth {

// Auth's directory (0700), held by one process.
class DataDirectory {
 public:
  // Makes it when it is missing, and writes the cluster's name into it the first time.
  //   fails  kAlreadyExists: another cairn-auth runs on it. kInvalid: it belongs to another cluster. An errno. The
  //          sentence names it and what to do.
  static Result<DataDirectory> open(const std::filesystem::path& path, const std::string& cluster);

 private:
  explicit DataDirectory(DataLock lock) : lock_(std::move(lock)) {}

  DataLock lock_;
};

}  // namespace cairn::auth
