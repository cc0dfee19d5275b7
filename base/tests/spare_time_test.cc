#include "base/spare_time.h"

#include <sched.h>
#include <unistd.h>

#include <cstdlib>

#include <gtest/gtest.h>

namespace cairn {
namespace {

constexpr uid_t kNobody = 65534;

// A thread that always has more to do, until it is told to pause.
class Worker {
 public:
  explicit Worker(SpareTime* spare_time) : thread_([this, spare_time] { run(spare_time); }) {}
  ~Worker() {
    is_over = true;
    thread_.join();
  }
  int policy() const { return id_ == 0 ? SCHED_OTHER : ::sched_getscheduler(id_); }
  // Returns when it has; CTest ends what waits for ever.
  void await_policy(int wanted) const {
    while (policy() != wanted) ::usleep(1000);
  }
  void await_uses(int wanted) const {
    while (uses_ < wanted) ::usleep(1000);
  }

  std::atomic<bool> is_paused = false;
  std::atomic<bool> is_over = false;

 private:
  void run(SpareTime* spare_time) {
    id_ = ::gettid();
    for (; !is_over; ::usleep(1000)) {
      if (is_paused) continue;
      spare_time->use();
      ++uses_;
    }
  }

  std::atomic<pid_t> id_ = 0;
  std::atomic<int> uses_ = 0;
  std::thread thread_;
};

TEST(SpareTime, IsForBulkWorkAndEndsWithIt) {
  SpareTime spare_time([] { return false; });
  Worker worker(&spare_time);
  for (int i = 0; i < 3; ++i) {
    worker.is_paused = false;
    worker.await_policy(SCHED_IDLE);
    worker.is_paused = true;
    worker.await_policy(SCHED_OTHER);
  }
}

TEST(SpareTime, EndsForWorkThatIsLate) {
  std::atomic<bool> is_late = false;
  SpareTime spare_time([&] { return is_late.load(); });
  Worker worker(&spare_time);
  worker.await_policy(SCHED_IDLE);
  is_late = true;
  worker.await_policy(SCHED_OTHER);
  is_late = false;
  worker.await_policy(SCHED_IDLE);
}

int policy_without_the_right() {
  if (::geteuid() == 0 && ::setresuid(kNobody, kNobody, kNobody) != 0) return -1;
  SpareTime spare_time([] { return false; });
  Worker worker(&spare_time);
  worker.await_uses(100);  // five looks
  return worker.policy();
}

TEST(SpareTime, IsNotUsedByWhoMayNotComeBack) {
  EXPECT_EXIT(std::exit(policy_without_the_right() == SCHED_OTHER ? 0 : 1), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace cairn
