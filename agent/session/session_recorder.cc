#include "agent/session/session_recorder.h"

#include <pthread.h>
#include <sched.h>

#include <tuple>
#include <utility>

#include "base/library_pages.h"

namespace cairn::agent {
namespace {

using recording::v1::Event;

// RecordingWriter::flush() wants to be called at least every 250 ms while anything is on its way.
constexpr std::chrono::milliseconds kFlushInterval{100};
// After so many flushes without an event everything has left the writer's window, late gaps included.
constexpr int kFlushesUntilRest = 30;
// The timer is not waited for. Output is taken while it is in the processor's cache still.
constexpr size_t kUrgentOutputBytes = 32 * 1024;
constexpr size_t kUrgentKernelBytes = 256 * 1024;
constexpr size_t kStepBytes = 256 * 1024;  // between two looks at whether the spool is full
// Output that came in pieces within this time is one event in the queue already: a terminal gives 4 KB at a time.
constexpr uint64_t kJoinNs = 5'000'000;
constexpr size_t kJoinReserveBytes = 4096;
constexpr size_t kJoinBytes = 28 * 1024 - 1;  // with a string's last byte a size that the allocator has
static_assert(kJoinBytes <= recorder::kMaxOutputBytes);
constexpr std::chrono::milliseconds kFullDiskRetry{500};

// Not in the way of who moves the bytes: on a busy host this thread waits for its turn and takes nobody's. It still
// gets its share, so that what is recorded is on the disk in time.
void yield_to_the_terminal() {
  const sched_param none{};
  std::ignore = ::pthread_setschedparam(::pthread_self(), SCHED_BATCH, &none);
}

size_t cost(const Event& event) { return sizeof(Event) + event.ByteSizeLong(); }

}  // namespace

SessionRecorder::SessionRecorder(recorder::RecordingWriter writer, const Clock* clock, std::function<void()> wake,
                                 Log log, std::optional<std::chrono::milliseconds> hold_limit)
    : writer_(std::move(writer)), clock_(clock), wake_(std::move(wake)), log_(std::move(log)), hold_limit_(hold_limit) {
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
      event.boot_ns() - last.event.boot_ns() > kJoinNs || output.data().size() + more.size() > kJoinBytes) {
    return false;
  }
  // A program that has written so much at once writes more.
  if (output.data().size() >= kJoinReserveBytes) output.mutable_data()->reserve(kJoinBytes);
  output.mutable_data()->append(more);
  last.bytes += more.size();
  return true;
}

void SessionRecorder::add(Event event) {
  size_t bytes = cost(event);
  std::atomic<size_t>& kind = waiting_.of(event.has_output());
  const size_t urgent_bytes = event.has_output() ? kUrgentOutputBytes : kUrgentKernelBytes;
  bool must_notify = false;
  {
    const std::scoped_lock lock(mutex_);
    if (join_last(event)) {
      bytes = event.output().data().size();
    } else {
      queue_.push_back({std::move(event), bytes});
    }
    const size_t before = kind.fetch_add(bytes);
    must_notify = is_resting_ || (before < urgent_bytes && before + bytes >= urgent_bytes);
  }
  if (must_notify) queue_changed_.notify_one();
}

bool SessionRecorder::await_room(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return room_made_.wait_for(lock, limit, [this] { return !is_held() && waiting_.kernel.load() < kKernelQueueBytes; });
}

std::optional<Error> SessionRecorder::failure() const {
  const std::scoped_lock lock(mutex_);
  return failure_;
}

void SessionRecorder::run() {
  yield_to_the_terminal();
  Queue batch;
  int idle_flushes = 0;
  bool has_begun = false;
  bool is_last = false;
  while (!is_last) {
    {
      std::unique_lock lock(mutex_);
      is_resting_ = idle_flushes >= kFlushesUntilRest;
      const auto is_due = [this] { return is_stopping_ || is_urgent() || (is_resting_ && !queue_.empty()); };
      if (is_resting_) queue_changed_.wait(lock, is_due);
      if (!is_resting_) queue_changed_.wait_for(lock, kFlushInterval, is_due);
      is_resting_ = false;
    }
    // Who logged in is being served by now, so nobody waits for this.
    if (!std::exchange(has_begun, true)) forget_library_pages();
    is_last = take(batch);
    idle_flushes = batch.empty() ? idle_flushes + 1 : 0;
    write(batch);
  }
}

bool SessionRecorder::is_urgent() const {
  return waiting_.output.load() >= kUrgentOutputBytes || waiting_.kernel.load() >= kUrgentKernelBytes;
}

// True: nothing will come after this.
bool SessionRecorder::take(Queue& batch) {
  const std::scoped_lock lock(mutex_);
  batch.clear();
  batch.swap(queue_);
  return is_stopping_;
}

void SessionRecorder::write(Queue& batch) {
  size_t unflushed_bytes = 0;
  for (auto& [event, bytes] : batch) {
    unflushed_bytes += bytes;
    // In steps, so that what waits in the writer's memory stays far below what it drops.
    if (hold_limit_ && unflushed_bytes > kStepBytes) {
      unflushed_bytes = bytes;
      note_flush(writer_.flush(now()));
      hold();
    }
    const bool is_output = event.has_output();
    writer_.add(std::move(event));
    give_back(is_output, bytes);
  }
  note_flush(writer_.flush(now()));
  hold();
}

// Tells who waits when there is room again.
void SessionRecorder::give_back(bool is_output, size_t bytes) {
  const size_t limit = is_output ? kOutputQueueBytes : kKernelQueueBytes;
  const size_t before = waiting_.of(is_output).fetch_sub(bytes);
  if (before < limit || before - bytes >= limit) return;
  if (is_output) return wake_();
  const std::scoped_lock lock(mutex_);
  room_made_.notify_all();
}

// Until the spool has room again, or the session has been held for long enough.
void SessionRecorder::hold() {
  if (!hold_limit_ || !is_spool_full_ || failure()) return;
  is_held_ = true;
  wake_();
  const auto deadline = std::chrono::steady_clock::now() + *hold_limit_;
  while (is_spool_full_ && !failure()) {
    std::this_thread::sleep_for(kFlushInterval);
    const Result<void> flushed = writer_.flush(now());
    note_flush(flushed);
    if (is_spool_full_ && std::chrono::steady_clock::now() >= deadline) give_up(flushed.error());
  }
  {
    const std::scoped_lock lock(mutex_);
    is_held_ = false;
  }
  room_made_.notify_all();
  wake_();
}

recorder::ClockAnchor SessionRecorder::now() const { return {clock_->boot_ns(), clock_->mono_ns(), clock_->wall_ns()}; }

void SessionRecorder::note_flush(const Result<void>& flushed) {
  const bool is_full = !flushed && flushed.error().code == Errc::kSpoolFull;
  if (is_full != std::exchange(is_spool_full_, is_full)) {
    if (is_full) log_.warn("recording.spool_full", kv_error(flushed.error()));
    if (!is_full && flushed) log_.info("recording.spool_has_room");
  }
  if (!flushed && !is_full) give_up(flushed.error());
}

void SessionRecorder::give_up(const Error& why) {
  {
    const std::scoped_lock lock(mutex_);
    if (failure_) return;
    failure_ = why;
  }
  log_.error("recording.failed", kv_error(why));
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
