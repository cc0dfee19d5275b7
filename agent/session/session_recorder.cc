#include "agent/session/session_recorder.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
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
constexpr size_t kJoinReserveBytes = 2048;
constexpr size_t kJoinBytes = 28 * 1024 - 1;  // with a string's last byte a size that the allocator has
static_assert(kJoinBytes <= recorder::kMaxOutputBytes);
constexpr std::chrono::milliseconds kFullDiskRetry{500};
// What came longer ago and is not with the writer is late: the thread competes for a processor.
constexpr uint64_t kLateNs = 50'000'000;

// Not in the way of who moves the bytes: on a busy host this thread waits for its turn and takes nobody's. It still
// gets its share, so that what is recorded is on the disk in time. A flood is written in spare time.
void yield_to_the_terminal() {
  const sched_param none{};
  std::ignore = ::pthread_setschedparam(::pthread_self(), SCHED_BATCH, &none);
}

}  // namespace

SessionRecorder::SessionRecorder(recorder::RecordingWriter writer, const Clock* clock, std::function<void()> wake,
                                 Log log, std::optional<std::chrono::milliseconds> hold_limit)
    : writer_(std::move(writer)),
      clock_(clock),
      wake_(std::move(wake)),
      log_(std::move(log)),
      hold_limit_(hold_limit),
      spare_time_([this] { return is_late(); }) {
  thread_ = std::thread([this] { run(); });
}

SessionRecorder::~SessionRecorder() { stop(); }

// What may be one event with what is queued last.
std::string* SessionRecorder::last_output(uint64_t boot_ns, uint32_t channel, recording::v1::Stream stream,
                                          size_t more) {
  if (queue_.empty()) return nullptr;
  Event& last = queue_.back().event;
  if (last.kind_case() != Event::kOutput) return nullptr;
  recording::v1::TerminalOutput& output = *last.mutable_output();
  if (output.channel() != channel || output.stream() != stream || boot_ns - last.boot_ns() > kJoinNs ||
      output.data().size() + more > kJoinBytes) {
    return nullptr;
  }
  return output.mutable_data();
}

void SessionRecorder::add_output(uint64_t boot_ns, uint32_t channel, recording::v1::Stream stream,
                                 std::string_view bytes) {
  bool must_notify = false;
  {
    const std::scoped_lock lock(mutex_);
    size_t cost = bytes.size();
    if (std::string* last = last_output(boot_ns, channel, stream, bytes.size())) {
      last->append(bytes);
      queue_.back().bytes += cost;
    } else {
      Event event;
      event.set_boot_ns(boot_ns);
      event.mutable_output()->set_channel(channel);
      event.mutable_output()->set_stream(stream);
      // A program that has written so much at once writes more.
      if (bytes.size() >= kJoinReserveBytes) event.mutable_output()->mutable_data()->reserve(kJoinBytes);
      event.mutable_output()->mutable_data()->append(bytes);
      cost += sizeof(Event);
      append({std::move(event), cost});
    }
    must_notify = note_added(waiting_.output, cost, kUrgentOutputBytes);
  }
  if (must_notify) queue_changed_.notify_one();
}

void SessionRecorder::add(Event event) {
  if (event.has_output()) {
    const recording::v1::TerminalOutput& output = event.output();
    add_output(event.boot_ns(), output.channel(), output.stream(), output.data());
    return;
  }
  const size_t bytes = sizeof(Event) + event.ByteSizeLong();
  bool must_notify = false;
  {
    const std::scoped_lock lock(mutex_);
    append({std::move(event), bytes});
    must_notify = note_added(waiting_.kernel, bytes, kUrgentKernelBytes);
  }
  if (must_notify) queue_changed_.notify_one();
}

void SessionRecorder::append(Queued added) {
  if (queue_.empty()) queued_since_ns_ = added.event.boot_ns();
  queue_.push_back(std::move(added));
}

// Whether the thread is to be told.
bool SessionRecorder::note_added(std::atomic<size_t>& waiting, size_t bytes, size_t urgent_bytes) {
  const size_t before = waiting.fetch_add(bytes);
  return is_resting_ || (before < urgent_bytes && before + bytes >= urgent_bytes);
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
    if (waiting_.output.load() >= kUrgentOutputBytes) spare_time_.use();
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
  taken_since_ns_ = queued_since_ns_.exchange(kNever);
  return is_stopping_;
}

// Asked by another thread, while this one may stand still wherever it is.
bool SessionRecorder::is_late() const {
  const uint64_t since_ns = std::min(queued_since_ns_.load(), taken_since_ns_.load());
  const uint64_t now_ns = clock_->boot_ns();
  return waiting_.kernel.load() >= kUrgentKernelBytes || (since_ns < now_ns && now_ns - since_ns > kLateNs);
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
  taken_since_ns_ = kNever;
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
