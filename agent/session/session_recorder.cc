#include "agent/session/session_recorder.h"

#include <utility>

namespace cairn::agent {
namespace {

using recording::v1::Event;

// RecordingWriter::flush() wants to be called at least every 250 ms while anything is on its way.
constexpr std::chrono::milliseconds kFlushInterval{100};
// After so many flushes without an event everything has left the writer's window, late gaps included.
constexpr int kFlushesUntilRest = 30;
constexpr size_t kUrgentBytes = 256 * 1024;  // the timer is not waited for
// Output that came in pieces within this time is one event in the queue already: a terminal gives 4 KB at a time.
constexpr uint64_t kJoinNs = 5'000'000;
constexpr std::chrono::milliseconds kFullDiskRetry{500};

size_t cost(const Event& event) { return sizeof(Event) + event.ByteSizeLong(); }

}  // namespace

SessionRecorder::SessionRecorder(recorder::RecordingWriter writer, const Clock* clock, std::function<void()> wake,
                                 Log log)
    : writer_(std::move(writer)), clock_(clock), wake_(std::move(wake)), log_(std::move(log)) {
  thread_ = std::thread([this] { run(); });
}

SessionRecorder::~SessionRecorder() { stop(); }

bool SessionRecorder::join_last(const Event& event) {
  if (queue_.empty() || event.kind_case() != Event::kOutput) return false;
  Queued& last = queue_.back();
  if (last.event.kind_case() != Event::kOutput) return false;
  recording::v1::TerminalOutput& output = *last.event.mutable_output();
  const std::string& more = event.output().data();
  if (output.channel() != event.output().channel() || output.stream() != event.output().stream() ||
      event.boot_ns() - last.event.boot_ns() > kJoinNs ||
      output.data().size() + more.size() > recorder::kMaxOutputBytes) {
    return false;
  }
  if (output.data().empty() || output.data().capacity() < recorder::kMaxOutputBytes / 2) {
    output.mutable_data()->reserve(recorder::kMaxOutputBytes);
  }
  output.mutable_data()->append(more);
  last.bytes += more.size();
  return true;
}

void SessionRecorder::add(Event event) {
  size_t bytes = cost(event);
  bool must_notify = false;
  {
    const std::scoped_lock lock(mutex_);
    if (join_last(event)) {
      bytes = event.output().data().size();
    } else {
      queue_.push_back({std::move(event), bytes});
    }
    const size_t before = queued_bytes_.fetch_add(bytes);
    must_notify = is_resting_ || (before < kUrgentBytes && before + bytes >= kUrgentBytes);
  }
  if (must_notify) queue_changed_.notify_one();
}

bool SessionRecorder::await_room(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return room_made_.wait_for(lock, limit, [this] { return queued_bytes_.load() < kKernelQueueBytes; });
}

std::optional<Error> SessionRecorder::failure() const {
  const std::scoped_lock lock(mutex_);
  return failure_;
}

void SessionRecorder::run() {
  Queue batch;
  int idle_flushes = 0;
  bool is_last = false;
  while (!is_last) {
    {
      std::unique_lock lock(mutex_);
      is_resting_ = idle_flushes >= kFlushesUntilRest;
      const auto is_due = [this] {
        return is_stopping_ || queued_bytes_.load() >= kUrgentBytes || (is_resting_ && !queue_.empty());
      };
      if (is_resting_) queue_changed_.wait(lock, is_due);
      if (!is_resting_) queue_changed_.wait_for(lock, kFlushInterval, is_due);
      is_resting_ = false;
    }
    is_last = take(batch);
    idle_flushes = batch.empty() ? idle_flushes + 1 : 0;
    write(batch);
  }
}

// True: nothing will come after this.
bool SessionRecorder::take(Queue& batch) {
  const std::scoped_lock lock(mutex_);
  batch.clear();
  batch.swap(queue_);
  return is_stopping_;
}

void SessionRecorder::write(Queue& batch) {
  for (auto& [event, bytes] : batch) {
    writer_.add(std::move(event));
    const size_t before = queued_bytes_.fetch_sub(bytes);
    if (before >= kQueueBytes && before - bytes < kQueueBytes) wake_();
    if (before >= kKernelQueueBytes && before - bytes < kKernelQueueBytes) {
      const std::scoped_lock lock(mutex_);
      room_made_.notify_all();
    }
  }
  note_flush(writer_.flush(now()));
}

recorder::ClockAnchor SessionRecorder::now() const { return {clock_->boot_ns(), clock_->mono_ns(), clock_->wall_ns()}; }

void SessionRecorder::note_flush(const Result<void>& flushed) {
  const bool is_full = !flushed && flushed.error().code == Errc::kSpoolFull;
  if (is_full != std::exchange(is_spool_full_, is_full)) {
    if (is_full) log_.warn("recording.spool_full", kv_error(flushed.error()));
    if (!is_full && flushed) log_.info("recording.spool_has_room");
  }
  if (flushed || is_full) return;
  {
    const std::scoped_lock lock(mutex_);
    if (failure_) return;
    failure_ = flushed.error();
  }
  log_.error("recording.failed", kv_error(flushed.error()));
  wake_();
}

void SessionRecorder::stop() {
  if (!thread_.joinable()) return;
  {
    const std::scoped_lock lock(mutex_);
    is_stopping_ = true;
  }
  queue_changed_.notify_one();
  thread_.join();
}

Result<void> SessionRecorder::seal(recording::v1::EndReason reason, uint64_t kernel_issued,
                                   std::chrono::milliseconds patience) {
  stop();
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    Result<void> sealed = writer_.seal(reason, kernel_issued, now());
    const bool is_full = !sealed && sealed.error().code == Errc::kSpoolFull;
    if (!is_full || std::chrono::steady_clock::now() + kFullDiskRetry > deadline) return sealed;
    std::this_thread::sleep_for(kFullDiskRetry);
  }
}

}  // namespace cairn::agent
