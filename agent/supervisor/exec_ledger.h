#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/capture/capture_host.h"
#include "agent/capture/session_capture.h"
#include "base/async.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/work_pool.h"
#include "proto/audit.pb.h"

namespace cairn::agent {

// What daemons that take work from others execute outside of sessions (bpf/exec.bpf.c, is_handed_over), told to auth's
// audit log as "host.exec": so that what a session hands to systemd, cron, at or a container is in evidence. While no
// agent lives, and beyond kMaxPerLook, executions are missing; "host.exec_missed" says so. Thread: its owner's
// executor.
class ExecLedger {
 public:
  // Events of one look, a second; more are counted.
  static constexpr size_t kMaxPerLook = 100;

  // Enters one event into the audit log.
  using Tell = std::function<awaitable<Result<void>>(audit::v1::AuditEvent)>;

  // `pool` and `clock` outlive it.
  ExecLedger(std::filesystem::path bpf_dir, Tell tell, WorkPool* pool, const Clock* clock, Log log)
      : bpf_dir_(std::move(bpf_dir)), tell_(std::move(tell)), pool_(pool), clock_(clock), log_(std::move(log)) {}

  awaitable<void> run();

 private:
  Result<SessionCapture*> ledger();  // opened when it is needed
  Result<std::vector<audit::v1::AuditEvent>> look();

  std::filesystem::path bpf_dir_;
  Tell tell_;
  WorkPool* pool_;
  const Clock* clock_;
  Log log_;
  std::optional<SessionCapture> ledger_;  // of pool_ while it looks
  uint64_t lost_ = 0;                     // in the ring, as counted by the kernel and told already
};

// One execution as an audit event; what is long is cut.
//   wall_ns_at_boot  CLOCK_REALTIME when CLOCK_BOOTTIME was 0
audit::v1::AuditEvent host_exec_event(const recording::v1::Event& event, int64_t wall_ns_at_boot);

}  // namespace cairn::agent
