#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "base/async.h"
#include "base/result.h"

namespace cairn::agent {

// What has happened in the spool folder.
struct SpoolChanges {
  bool is_folder_changed = false;    // files have come or gone; or so much has happened that all must be looked at
  std::vector<std::string> changed;  // names given to follow() whose files have grown or been closed; may repeat
};

// Tells when recordings come and grow (inotify(7)). Thread: its executor. Only a hint: who relies on it sweeps as well.
//
// A worker makes its file without a name and links it later; the folder's watch then reports its writes under "#" and
// the inode's number instead of the name (seen on Linux 6.18). So every growing file is followed by its inode.
class SpoolWatch {
 public:
  static Result<SpoolWatch> open(const asio::any_io_executor& executor, const std::filesystem::path& folder);

  // Reports changes of `path` under `name`. The watch ends by itself when the file is deleted. Twice is harmless.
  Result<void> follow(const std::filesystem::path& path, std::string name);

  // Waits for at least one change. One caller at a time.
  awaitable<Result<SpoolChanges>> changes();

 private:
  explicit SpoolWatch(asio::posix::stream_descriptor inotify) : inotify_(std::move(inotify)) {}
  SpoolChanges parse(const char* events, size_t bytes);

  asio::posix::stream_descriptor inotify_;
  std::map<int, std::string> followed_;  // by watch descriptor
};

}  // namespace cairn::agent
