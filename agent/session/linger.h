#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "agent/session/capture_pump.h"
#include "agent/session/channel.h"
#include "agent/session/poll_set.h"
#include "agent/session/session_host.h"
#include "base/log.h"

namespace cairn::agent {

// The time between the end of a session's connection and the end of its last process: programs that were started with
// nohup, or that simply have not noticed yet. What they do is still recorded. One thread; borrows host and pump.
class Linger {
 public:
  // pump  may be null: then only the login processes are known
  Linger(std::vector<OpenLogin> logins, SessionHost* host, CapturePump* pump, Log log)
      : logins_(std::move(logins)), host_(host), pump_(pump), log_(std::move(log)) {}

  // Until no process lives (END_REASON_COMPLETE), or `limit` has passed or the host's end_reason() is set and the
  // programs have had time to obey a hang-up (END_REASON_LIMIT).
  recording::v1::EndReason run(std::chrono::seconds limit);

 private:
  using Instant = std::chrono::steady_clock::time_point;

  void wait();
  void attend(OpenLogin& login);
  uint64_t live_processes();
  void mark_after_terminal(uint64_t live);

  std::vector<OpenLogin> logins_;
  SessionHost* host_;
  CapturePump* pump_;
  Log log_;
  PollSet waits_;
  bool is_marked_ = false;
};

}  // namespace cairn::agent
