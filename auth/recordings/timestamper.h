#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "auth/recordings/recordings.h"
#include "base/log.h"

namespace cairn::auth {

// Has the seals of recordings timestamped by an authority of its own (RFC 3161), with a command that brings the query
// there and the response back. What fails is tried again. Thread-safe.
class Timestamper {
 public:
  //   command     for /bin/sh: reads a TimeStampReq, writes a TimeStampResp, both DER
  //   recordings  outlives it
  Timestamper(std::string command, Recordings* recordings, Log log);
  ~Timestamper();
  Timestamper(const Timestamper&) = delete;
  Timestamper& operator=(const Timestamper&) = delete;

  // This recording has a seal, or another than before.
  void sealed(const std::string& session_id);

 private:
  void work();
  Result<void> stamp(const std::string& session_id);

  std::string command_;
  Recordings* recordings_;
  Log log_;
  std::mutex mutex_;
  std::condition_variable changed_;
  struct Due {
    std::string session_id;
    std::chrono::steady_clock::time_point at;
  };
  std::deque<Due> queue_;          // in the order in which they are due
  std::set<std::string> waiting_;  // those in the queue
  std::atomic<bool> is_ending_ = false;
  std::thread thread_;
};

}  // namespace cairn::auth
