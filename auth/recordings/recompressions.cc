#include "auth/recordings/recompressions.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace cairn::auth {
namespace {

constexpr std::chrono::seconds kLook{10};
// Who plays or downloads what has been recompressed meanwhile goes on for so long.
constexpr std::chrono::minutes kReadersFinish{10};
// What went wrong may have been a full disk.
constexpr std::chrono::hours kRetry{1};
constexpr uint32_t kAtOnce = 1000;

}  // namespace

Recompressions::Recompressions(Store* store, Recordings* recordings, const Clock* clock, std::chrono::seconds delay,
                               Log log)
    : store_(store), recordings_(recordings), clock_(clock), delay_(delay), log_(std::move(log)) {
  if (delay_.count() > 0) thread_ = std::thread([this] { work(); });
}

Recompressions::~Recompressions() {
  {
    const std::scoped_lock lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Recompressions::work() {
  for (;;) {
    run_round();
    recordings_->forget_replaced(kReadersFinish);
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, std::min(kLook, delay_), [this] { return is_ending_.load(); })) return;
  }
}

void Recompressions::run_round() {
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(failed_, [now](const auto& each) { return now - each.second >= kRetry; });
  const auto limit = kAtOnce + static_cast<uint32_t>(failed_.size());
  const Result<std::vector<std::string>> due = store_->unarchived_recordings(clock_->wall_s() - delay_.count(), limit);
  if (!due) {
    log_.warn("recording.recompress_failed", kv("session", ""), kv_error(due.error()));
    return;
  }
  for (const std::string& id : *due) {
    if (is_ending_) return;
    if (failed_.contains(id)) continue;
    const Result<Recordings::Archiving> done = recordings_->recompress(id, &is_ending_);
    if (done || is_ending_) continue;
    failed_[id] = std::chrono::steady_clock::now();
    log_.warn("recording.recompress_failed", kv("session", id), kv_error(done.error()));
  }
}

}  // namespace cairn::auth
