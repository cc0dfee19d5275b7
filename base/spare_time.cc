#include "base/spare_time.h"

#include <sched.h>
#include <unistd.h>

namespace cairn {
namespace {

bool set_policy(pid_t thread, int policy) {
  const sched_param none{};
  return ::sched_setscheduler(thread, policy, &none) == 0;
}

}  // namespace

SpareTime::~SpareTime() {
  if (!watcher_.joinable()) return;
  {
    const std::scoped_lock lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_one();
  watcher_.join();
}

void SpareTime::use() {
  uses_.fetch_add(1, std::memory_order_relaxed);
  if (is_watched_.load(std::memory_order_relaxed)) return;
  is_watched_ = true;
  if (!watcher_.joinable()) {
    watcher_ = std::thread([this, worker = ::gettid()] { watch(worker); });
    return;
  }
  const std::scoped_lock lock(mutex_);
  changed_.notify_one();
}

void SpareTime::watch(pid_t worker) {
  const int usual = ::sched_getscheduler(worker);
  // Tried out on itself: who may not come back does not go.
  const bool may_return = usual >= 0 && set_policy(0, SCHED_IDLE) && set_policy(0, SCHED_OTHER);
  std::unique_lock lock(mutex_);
  while (!is_stopping_) {
    changed_.wait(lock, [this] { return is_stopping_ || is_watched_.load(); });
    if (is_stopping_ || !may_return || !set_policy(worker, SCHED_IDLE)) break;
    const bool was_late = look_on(lock);
    set_policy(worker, usual);
    if (was_late) changed_.wait_for(lock, kPatience, [this] { return is_stopping_; });
    is_watched_ = false;
  }
}

// Until the work is late, over, or the end has come. True: late.
bool SpareTime::look_on(std::unique_lock<std::mutex>& lock) {
  for (uint64_t seen = 0; !is_stopping_;) {
    const uint64_t uses = uses_.load();
    if (uses == seen) return false;
    seen = uses;
    if (changed_.wait_for(lock, kLook, [this] { return is_stopping_; })) break;
    if (is_late_()) return true;
  }
  return false;
}

}  // namespace cairn
