#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

namespace cairn {

// Lets one thread do bulk work in time that nobody else wants (SCHED_IDLE, sched(7)), so that whoever makes the work
// never waits for a processor because of it, and lets it compete again as soon as its work is late: on a busy host it
// would get a thousandth of a processor. A second thread watches, which competes like any other; it exists from the
// first use() on and sleeps while there is nothing to watch. Where the first could not be brought back (without
// CAP_SYS_NICE, or RLIMIT_NICE for nice 0), nothing is ever changed.
class SpareTime {
 public:
  // How often the watching thread looks, and so how long a thread that gets no time waits to be brought back.
  static constexpr std::chrono::milliseconds kLook{20};
  // A thread whose work was late competes for so long.
  static constexpr std::chrono::milliseconds kPatience{1000};

  //   is_late  asked by the watching thread. Must not wait for a lock that the working thread takes
  explicit SpareTime(std::function<bool()> is_late) : is_late_(std::move(is_late)) {}
  SpareTime(const SpareTime&) = delete;
  SpareTime& operator=(const SpareTime&) = delete;
  ~SpareTime();  // after the working thread's last use()

  // By the working thread, always the same one, at every piece of bulk work. Once it has not called for kLook it
  // competes again.
  void use();

 private:
  void watch(pid_t worker);
  bool look_on(std::unique_lock<std::mutex>& lock);

  std::function<bool()> is_late_;
  std::atomic<uint64_t> uses_ = 0;
  std::atomic<bool> is_watched_ = false;  // further uses need no notification

  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_stopping_ = false;
  std::thread watcher_;  // of the working thread until the end
};

}  // namespace cairn
