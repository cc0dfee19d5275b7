#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "base/spare_time.h"
#include "proto/recording.pb.h"
#include "recorder/recording_writer.h"

namespace cairn::agent {

// Puts a session's events on the disk, on a thread of its own, so that fdatasync(2) never stalls a keystroke's echo.
// What waits for the disk is bounded: full of output, it makes the session's programs wait (has_room); full of the
// kernel's events, it leaves further ones in their rings (await_room); neither waits for the other, and nothing is
// dropped here. All functions but seal() may be called from any thread.
class SessionRecorder {
 public:
  // How much output may wait for the disk before the programs are no longer read.
  static constexpr size_t kOutputQueueBytes = size_t{512} << 10;
  // How much else before the rings are no longer drained: one drain brings more than the programs ever do.
  static constexpr size_t kKernelQueueBytes = size_t{8} << 20;

  // `clock` outlives the recorder. `wake` is called when has_room() has become true again or is_held() or failure()
  // have changed; from the recorder's thread, so it must not wait.
  //   hold_limit  nullopt: a session whose spool is full goes on, and what found no room is on record as a gap. Given:
  //               it is held for so long, nothing is dropped meanwhile, and then failure() ends it
  SessionRecorder(recorder::RecordingWriter writer, const Clock* clock, std::function<void()> wake, Log log,
                  std::optional<std::chrono::milliseconds> hold_limit = {});
  SessionRecorder(const SessionRecorder&) = delete;
  SessionRecorder& operator=(const SessionRecorder&) = delete;
  ~SessionRecorder();  // unsealed: the file is left as after a crash, with all that was added

  // Never waits.
  void add(recording::v1::Event event);

  // The same for output, in few steps: who moves the bytes does it between two keystrokes. Nothing is allocated for
  // what continues the output before it.
  void add_output(uint64_t boot_ns, uint32_t channel, recording::v1::Stream stream, std::string_view bytes);

  bool has_room() const { return !is_held() && waiting_.output.load() < kOutputQueueBytes; }

  // The spool is full, and nothing may be lost: the session waits.
  bool is_held() const { return is_held_.load(); }

  // Waits until the kernel's events have room, or `limit` has passed. False: still none.
  bool await_room(std::chrono::milliseconds limit);

  // Why nothing is recorded any more: the disk refused. Not for want of space, which is accounted for and survived,
  // unless the session has been held as long as it may.
  std::optional<Error> failure() const;

  // Writes what is queued and the End, and ends the thread; nothing may be added afterwards. Tries again while the disk
  // is full, until `patience` is over. Blocks, while the session is held, too.
  Result<void> seal(recording::v1::EndReason reason, uint64_t kernel_issued, std::chrono::milliseconds patience);

 private:
  struct Queued {
    recording::v1::Event event;
    size_t bytes;  // what it counts for
  };
  using Queue = std::vector<Queued>;
  // Bytes that were added and not yet given to the writer.
  struct Waiting {
    std::atomic<size_t> output = 0;
    std::atomic<size_t> kernel = 0;  // and whatever else is no output

    std::atomic<size_t>& of(bool is_output) { return is_output ? output : kernel; }
  };

  std::string* last_output(uint64_t boot_ns, uint32_t channel, recording::v1::Stream stream, size_t more);
  bool note_added(std::atomic<size_t>& waiting, size_t bytes, size_t urgent_bytes);
  void append(Queued added);
  bool is_late() const;
  void run();
  bool is_urgent() const;
  bool take(Queue& batch);
  void write(Queue& batch);
  void give_back(bool is_output, size_t bytes);
  recorder::ClockAnchor now() const;
  void note_flush(const Result<void>& flushed);
  void hold();
  void give_up(const Error& why);
  void stop();

  recorder::RecordingWriter writer_;  // of the thread until it has ended
  const Clock* clock_;
  std::function<void()> wake_;
  Log log_;

  mutable std::mutex mutex_;
  std::condition_variable queue_changed_;
  std::condition_variable room_made_;
  Queue queue_;
  std::optional<Error> failure_;
  bool is_stopping_ = false;
  bool is_resting_ = false;  // the thread waits without a timer

  Waiting waiting_;
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();
  // When the oldest came of what is queued, and of what the thread has in hand. No lock guards them: see is_late().
  std::atomic<uint64_t> queued_since_ns_ = kNever;
  std::atomic<uint64_t> taken_since_ns_ = kNever;
  bool is_spool_full_ = false;  // of the thread
  std::optional<std::chrono::milliseconds> hold_limit_;
  std::atomic<bool> is_held_ = false;
  SpareTime spare_time_;
  std::thread thread_;
};

}  // namespace cairn::agent
