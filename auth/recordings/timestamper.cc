#include "auth/recordings/timestamper.h"

#include <chrono>
#include <utility>

#include "base/child_process.h"
#include "recorder/proof/timestamp.h"

namespace cairn::auth {
namespace {

constexpr std::chrono::seconds kPatience{30};
constexpr std::chrono::minutes kRetry{1};
// A session's last checkpoint follows its last chunk, and changes the seal.
constexpr std::chrono::seconds kSettled{2};
// An authority that is away for a day must not cost memory without limit; those beyond are timestamped after a restart.
constexpr size_t kMaxQueued = 100'000;

}  // namespace

Timestamper::Timestamper(std::string command, Recordings* recordings, Log log)
    : command_(std::move(command)), recordings_(recordings), log_(std::move(log)) {
  thread_ = std::thread([this] { work(); });
}

Timestamper::~Timestamper() {
  {
    const std::scoped_lock lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Timestamper::sealed(const std::string& session_id) {
  {
    const std::scoped_lock lock(mutex_);
    if (queue_.size() >= kMaxQueued || !waiting_.insert(session_id).second) return;
    queue_.push_back({session_id, std::chrono::steady_clock::now() + kSettled});
  }
  changed_.notify_all();
}

void Timestamper::work() {
  std::unique_lock lock(mutex_);
  while (!is_ending_) {
    changed_.wait(lock, [this] { return is_ending_ || !queue_.empty(); });
    if (is_ending_) return;
    Due due = queue_.front();
    if (changed_.wait_until(lock, due.at, [this] { return is_ending_.load(); })) return;
    queue_.pop_front();
    waiting_.erase(due.session_id);
    lock.unlock();
    const Result<void> stamped = stamp(due.session_id);
    lock.lock();
    if (stamped || is_ending_) continue;
    log_.warn("recording.untimestamped", kv("session", due.session_id), kv_error(stamped.error()));
    if (waiting_.insert(due.session_id).second) queue_.push_back(due);
    changed_.wait_for(lock, kRetry, [this] { return is_ending_.load(); });
  }
}

Result<void> Timestamper::stamp(const std::string& session_id) {
  const Result<std::string> seal = recordings_->seal_to_timestamp(session_id);
  if (!seal && seal.error().code == make_error_code(Errc::kNotFound)) return {};  // deleted meanwhile
  if (!seal) return fail(seal);
  if (seal->empty()) return {};
  const Result<std::string> response =
      run_command(command_, recorder::timestamp_query(*seal), recorder::kMaxTimestampBytes, kPatience, &is_ending_);
  if (!response) return fail(response);
  if (const Result<int64_t> time = recorder::read_timestamp(*response, *seal); !time) return fail(time);
  return recordings_->add_timestamp(session_id, *seal, *response);
}

}  // namespace cairn::auth
