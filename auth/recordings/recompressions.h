#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "auth/recordings/recordings.h"
#include "auth/store/store.h"
#include "base/clock.h"
#include "base/log.h"

namespace cairn::auth {

// Recompresses recordings in the background, one at a time, when their sessions have been over for a while.
class Recompressions {
 public:
  // What is handed in outlives it.
  //   delay  after a session's end; 0: never
  Recompressions(Store* store, Recordings* recordings, const Clock* clock, std::chrono::seconds delay, Log log);
  // The one that is being recompressed is given up.
  ~Recompressions();
  Recompressions(const Recompressions&) = delete;
  Recompressions& operator=(const Recompressions&) = delete;

 private:
  void work();
  // All that are due.
  void run_round();

  Store* store_;
  Recordings* recordings_;
  const Clock* clock_;
  std::chrono::seconds delay_;
  Log log_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> is_ending_ = false;
  std::map<std::string, std::chrono::steady_clock::time_point> failed_;  // when; the thread's alone
  std::thread thread_;
};

}  // namespace cairn::auth
