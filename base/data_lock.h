#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace cairn {

// One process per data directory: an fcntl(2) lock on DIRECTORY/PROGRAM.lock. Unlike flock(2)'s it is nobody's but the
// process's: children that were being started when it died do not keep it from its successor.
class DataLock {
 public:
  //   program  who asks, for the file's name and for people: "cairn-agent"
  //   fails    kAlreadyExists: names the pid of who holds it, and what to do. An errno
  // Not to be taken twice in one process, which would get it and lose it with whichever goes first.
  static Result<DataLock> take(const std::filesystem::path& directory, std::string_view program);

 private:
  explicit DataLock(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace cairn
