#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "agent/capture/canary.h"
#include "agent/capture/capture_host.h"
#include "base/async.h"
#include "base/log.h"
#include "base/work_pool.h"

namespace cairn::agent {

// Lets the canary sing once per second while sessions are there, and tells them, the log and its owner when it misses a
// class of events or sees it again. Without sessions there is none: its own session would keep the hooks attached that
// cost the whole host. Thread: its owner's executor; the singing is done in `pool`.
class CanaryWatch {
 public:
  using HasSessions = std::function<bool()>;
  // `blind`: names of the classes that are not seen, "open, connect", or why the canary cannot sing; empty: all are
  // seen.
  using Changed = std::function<void(std::string blind)>;

  // `capture` and `pool` outlive it.
  CanaryWatch(CaptureHost* capture, std::filesystem::path bpf_dir, HasSessions has_sessions, Changed changed,
              WorkPool* pool, Log log)
      : capture_(capture),
        bpf_dir_(std::move(bpf_dir)),
        has_sessions_(std::move(has_sessions)),
        changed_(std::move(changed)),
        pool_(pool),
        log_(std::move(log)) {}

  awaitable<void> run();

 private:
  Result<CanaryReport> sing();
  void note(const Result<CanaryReport>& report);

  CaptureHost* capture_;
  std::filesystem::path bpf_dir_;
  HasSessions has_sessions_;
  Changed changed_;
  WorkPool* pool_;
  Log log_;
  std::optional<Canary> canary_;  // of pool_ while it sings
  std::string blind_;
};

}  // namespace cairn::agent
