#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "agent/capture/executable_hasher.h"
#include "agent/capture/session_capture.h"
#include "agent/session/session_recorder.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace cairn::agent {

// Brings a session's kernel events from its rings into its recording, on a thread of its own: neither a flood of events
// delays the terminal, nor a slow disk the emptying of the rings, until the recorder's queue is full. Then events stay
// in the rings, and when these are full the kernel counts what is lost. Thread-safe.
class CapturePump {
 public:
  // `recorder` outlives the pump. `wake` is called when failure() is set, from the pump's thread.
  //   needs_all  a class of events that the agent's canary finds unseen is a failure, and not only a gap on record
  static Result<std::unique_ptr<CapturePump>> start(SessionCapture capture, SessionRecorder* recorder, bool needs_all,
                                                    std::function<void()> wake, Log log);
  CapturePump(const CapturePump&) = delete;
  CapturePump& operator=(const CapturePump&) = delete;
  ~CapturePump();  // ends the capture

  // SessionCapture::tag, counters
  Result<void> tag(int pidfd);
  Result<SessionCounters> counters();

  std::optional<Error> failure() const;

  // Ends the capture and brings in all that is left. Returns how many sequence numbers the kernel gave out.
  Result<uint64_t> finish();

 private:
  CapturePump(SessionCapture capture, SessionRecorder* recorder, bool needs_all, UniqueFd stop,
              std::function<void()> wake, Log log);
  void run();
  Result<size_t> drain();
  Result<void> report_folds();
  void set_polled(bool is_polled);
  bool look(size_t* drained);
  Result<void> check_sight();
  void give_up(Error error);
  void stop();

  mutable std::mutex mutex_;  // of capture_ and failure_
  SessionCapture capture_;
  std::optional<Error> failure_;
  SessionRecorder* recorder_;
  SystemClock clock_;
  ExecutableHasher hasher_;
  bool needs_all_;
  uint64_t blind_classes_ = 0;  // of the thread
  UniqueFd stop_;               // an eventfd: readable = the thread shall end
  std::function<void()> wake_;
  Log log_;
  std::chrono::steady_clock::time_point folds_due_{};  // of the thread
  std::thread thread_;
};

}  // namespace cairn::agent
