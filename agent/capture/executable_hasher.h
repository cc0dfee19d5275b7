#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "proto/recording.pb.h"

namespace cairn::agent {

// SHA-256 of what a session executes, on a thread of its own of the lowest priority. Each file is read once: known by
// device, inode and ctime, which changes with whatever is written to it. Functions are called from any thread.
class ExecutableHasher {
 public:
  // Larger files are not read: an event says so.
  static constexpr uint64_t kMaxFileBytes = uint64_t{1} << 30;
  // What may wait to be read, and what is remembered; beyond that an executable has no hash until it is run again.
  static constexpr size_t kMaxWaiting = 256;
  static constexpr size_t kMaxKnown = 16384;

  // `sink` takes an ExecutableHash for each new executable, from the hasher's thread. It and `clock` outlive the
  // hasher.
  ExecutableHasher(std::function<void(recording::v1::Event)> sink, const Clock* clock);
  ExecutableHasher(const ExecutableHasher&) = delete;
  ExecutableHasher& operator=(const ExecutableHasher&) = delete;
  ~ExecutableHasher();  // what still waits is not read

  // Fills in the hash when it is known, or else has the file read. Never waits.
  void note(recording::v1::Exec* exec);

  // Until nothing waits any more, `limit` at most. False: something still does.
  bool await_idle(std::chrono::milliseconds limit);
  // The same, and then the thread ends: nothing goes to the sink any more, and what is noted is not read.
  bool finish(std::chrono::milliseconds limit);

 private:
  struct Key {
    uint64_t device;
    uint64_t inode;
    int64_t ctime_ns;
    auto operator<=>(const Key&) const = default;
  };
  struct Wanted {
    Key key;
    UniqueFd file;
    recording::v1::ExecutableHash hash;  // without the digest
  };

  void run();
  void stop();

  std::function<void(recording::v1::Event)> sink_;
  const Clock* clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Key, std::string> known_;  // empty: waits, or could not be read
  std::deque<Wanted> waiting_;
  bool is_busy_ = false;
  std::atomic<bool> is_stopping_ = false;  // set with mutex_ held
  std::thread thread_;
};

}  // namespace cairn::agent
