#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
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

  using Sink = std::function<void(recording::v1::Event)>;

  // `sink` takes an ExecutableHash for each new executable, from the hasher's thread, and must not wait. It and `clock`
  // outlive the hasher.
  ExecutableHasher(Sink sink, const Clock* clock);
  ExecutableHasher(const ExecutableHasher&) = delete;
  ExecutableHasher& operator=(const ExecutableHasher&) = delete;
  ~ExecutableHasher();  // what still waits is not read

  // Fills in the hash when it is known, or else has the file read. Never waits.
  void note(recording::v1::Exec* exec);

  // Until nothing waits any more, `limit` at most. False: something still does.
  bool await_idle(std::chrono::milliseconds limit);
  // The same, and then the thread is told to end: nothing goes to the sink any more, and what is noted is not read.
  // Does not wait for a file system that never answers.
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
    UniqueFd named;
    recording::v1::ExecutableHash hash;  // without the digest
  };

  void stop();

  struct State;
  std::shared_ptr<State> state_;  // the thread's too, which may outlive the hasher
  std::thread thread_;
};

}  // namespace cairn::agent
