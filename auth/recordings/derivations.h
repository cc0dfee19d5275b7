#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "auth/recordings/recordings.h"
#include "base/async.h"
#include "base/log.h"
#include "base/result.h"
#include "recorder/derive/derived_cache.h"

namespace cairn::auth {

// Keeps what is derived from recordings up to date: behind uploads in the background, and for who asks. Recordings that
// auth cannot read have nothing derived here. Thread-safe.
class Derivations {
 public:
  // What is handed in outlives it.
  Derivations(recorder::DerivedCache cache, ChunkStore* chunks, Recordings* recordings, Log log);
  ~Derivations();
  Derivations(const Derivations&) = delete;
  Derivations& operator=(const Derivations&) = delete;

  // More of this recording is stored.
  void grown(const std::string& session_id);

  // What is derived from all that is stored of a recording now; waits for it.
  //   wants_open_chunk  what came of the chunk that is not sealed yet too
  //   fails             kTimeout: it takes longer, and goes on; ask again. kDenied: auth is not among those who can
  //   read
  //                     the recording. kNotFound: nothing of it is stored. kCorrupt, kUnavailable: it cannot be derived
  Result<recorder::Derived> read(const std::string& session_id, bool wants_open_chunk, Deadline deadline);

 private:
  // Of a recording that could not be derived; it is tried again when more of it has come, or after a while.
  struct Failed {
    uint64_t chunks = 0;
    std::chrono::steady_clock::time_point when = {};
    Error error;
  };

  Result<recorder::DeriveInput> input_of(const std::string& session_id);
  Result<recorder::Derived> wait_for(const std::string& session_id, const recorder::DeriveInput& input,
                                     Deadline deadline);
  Result<recorder::Derived> derive(const std::string& session_id, const recorder::DeriveInput& input);
  void work();
  void derive_now(const std::string& session_id);

  recorder::DerivedCache cache_;
  ChunkStore* chunks_;
  Recordings* recordings_;
  Log log_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> queue_;
  std::set<std::string> queued_;
  std::set<std::string> busy_;  // being derived from
  std::map<std::string, Failed> failed_;
  uint64_t done_ = 0;  // derivations that were tried
  bool is_ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace cairn::auth
