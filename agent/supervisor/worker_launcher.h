#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/signal_set.hpp>

#include "base/async.h"
#include "base/log.h"
#include "base/result.h"

namespace cairn::agent {

// The descriptor on which a worker finds its WorkerStart frame.
constexpr int kWorkerStartFd = 3;

// Starts workers and buries them. A worker is a session of its own (setsid(2)) and outlives its supervisor; it inherits
// /dev/null as input, the log as output and error, its start frame as descriptor 3, and nothing else.
class WorkerLauncher {
 public:
  // command: the program's path and its arguments; /proc/self/exe stays this build when a newer one is installed over
  // it
  WorkerLauncher(const asio::any_io_executor& executor, std::vector<std::string> command, Log log);

  // Starts one worker, which finds `start` (a serialised WorkerStart, at most 32 KiB) framed on descriptor 3.
  //   fails  an errno of posix_spawn(3) or pipe2(2); kTooLarge
  Result<void> launch(std::string start);

  // Collects the ones that end, until cancelled.
  awaitable<void> reap();

  size_t running() const { return workers_.size(); }  // of those that this supervisor started

 private:
  using Instant = std::chrono::steady_clock::time_point;

  void collect();

  std::vector<std::string> command_;
  Log log_;
  asio::signal_set child_ended_;
  std::map<pid_t, Instant> workers_;  // by pid, when they were started
};

}  // namespace cairn::agent
