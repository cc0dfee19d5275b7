#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "agent/upload/abandoned_recording.h"
#include "agent/upload/auth_caller.h"
#include "agent/upload/pace.h"
#include "agent/upload/recording_upload.h"
#include "agent/upload/spool_folder.h"
#include "agent/upload/spool_watch.h"
#include "base/async.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/work_pool.h"

namespace cairn::agent {

struct UploadTimes {
  std::chrono::milliseconds sweep{1000};         // between two looks at the whole folder
  std::chrono::milliseconds call_limit{30'000};  // for one answer of auth
  std::chrono::milliseconds first_retry{500};    // after a lost connection; doubles
  std::chrono::milliseconds last_retry{30'000};
  std::chrono::milliseconds refused_retry{300'000};  // of one recording that auth refuses
};

// How much of the node's line the uploads may take.
struct UploadLimits {
  uint64_t bytes_per_s = 0;  // 0: all
};

struct SpoolStatus {
  uint64_t bytes = 0;
  uint32_t live_sessions = 0;  // whose workers live
};

// Brings the spool to auth and empties it: live recordings first, chunk by chunk; then the others whole, in the order
// in which their sessions began. Each file is deleted once auth has acknowledged its final chunk. Closes the recordings
// of workers that died. What it knows is on the disk: it may be killed at any moment and a new one goes on. One
// recording at a time is sent, one request at a time. Thread: its executor; the disk is touched on the pool.
class Uploader {
 public:
  // `auth`, `disk` and `clock` outlive it. A recording is SESSION_UUID.rec in `spool`, which exists.
  Uploader(const asio::any_io_executor& executor, std::filesystem::path spool, AuthCaller* auth, KernelSessions kernel,
           WorkPool* disk, const Clock* clock, UploadTimes times, UploadLimits limits, Log log);

  // Until it is cancelled.
  awaitable<void> run();

  // As of the last sweep.
  const SpoolStatus& status() const { return status_; }

 private:
  using Instant = std::chrono::steady_clock::time_point;

  struct Recording {
    std::string id;
    std::filesystem::path path;
    std::unique_ptr<RecordingUpload> upload;
    uint64_t bytes = 0;  // at the last sweep
    bool is_live = true;
    bool is_sealed = false;        // its final chunk is in the file; decided once it is no longer live
    bool is_acknowledged = false;  // auth has all of it
    bool has_news = true;          // there may be something to send
    Instant send_after = {};
    Instant settle_after = {};
    uint64_t turn = 0;          // when it was served last
    int64_t begun_wall_ns = 0;  // the session
  };
  using Recordings = std::map<std::string, std::shared_ptr<Recording>>;

  // Keeps the table of recordings in step with the folder.
  awaitable<void> keep();
  awaitable<void> sweep();
  void take_in(const SpooledRecording& found);
  awaitable<void> date_new_ones();
  awaitable<void> settle_ended();
  awaitable<void> settle(std::shared_ptr<Recording> recording);
  awaitable<void> close_abandoned(std::shared_ptr<Recording> recording);
  awaitable<void> remove(std::shared_ptr<Recording> recording);
  awaitable<void> set_aside(std::shared_ptr<Recording> recording, Error why);
  void forget_in_kernel(const Recording& recording, std::optional<uint64_t> session_key);

  // Sends.
  awaitable<void> send();
  std::shared_ptr<Recording> next_to_send();
  static bool is_before(const Recording& one, const Recording& other);
  Instant next_settlement() const;
  Instant next_attempt() const;
  awaitable<void> send_one(std::shared_ptr<Recording> recording);
  void note_refusal(Recording& recording, const Error& error);
  awaitable<void> wait_for_auth(Error why);

  // Notices.
  awaitable<void> watch();
  void notice(const SpoolChanges& changes);

  std::filesystem::path spool_;
  AuthCaller* auth_;
  KernelSessions kernel_;
  WorkPool* disk_;
  const Clock* clock_;
  UploadTimes times_;
  Log log_;

  Recordings recordings_;
  SpoolStatus status_;
  std::optional<SpoolWatch> watch_;
  Doorbell sweep_bell_;   // the folder is to be looked at
  Doorbell settle_bell_;  // a sweep has been made
  Doorbell send_bell_;    // there is something to send
  Backoff auth_backoff_;
  bool is_auth_lost_ = false;
  bool is_sweep_failing_ = false;
  uint64_t turns_ = 0;
  Pace pace_;
};

}  // namespace cairn::agent
