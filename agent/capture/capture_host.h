#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

#include "agent/capture/capture_status.h"
#include "base/log.h"
#include "base/result.h"
#include "bpf/events.h"

namespace cairn::agent {

// The supervisor's side of kernel capture: the programs of this build are loaded, attached and pinned. It owns no
// kernel object: programs, links and maps live on through their pins when the supervisor dies, and the next start()
// adopts them. Any number of SessionCapture live beside it, in other processes.
class CaptureHost {
 public:
  // Adopts what this build has pinned under `bpf_dir`, or else tries tier after tier until the kernel accepts one, and
  // pins it as bpf_dir/<first 12 hex digits of the object's SHA-256>/. Mounts a bpffs at bpf_dir (or at /sys/fs/bpf
  // when bpf_dir lies in it) when there is none. Removes the pins of other builds that serve no session.
  // Forgets the ledger and the canary of a supervisor that was killed: their sessions keep hooks attached.
  // Concurrent starts on one folder take turns. libbpf's messages go to `log` at debug from here on.
  //   only_tier  "A", "B": no other is tried; empty: the best that the kernel takes
  //   fails  Errc::kUnsupported: the kernel refused every tier; the sentence names each tier, program and reason
  //          an errno: bpf_dir cannot be made, mounted or written
  static Result<CaptureHost> start(std::filesystem::path bpf_dir, Log log, std::string_view only_tier = {});

  // The session key under which the host's ledger of executions is captured: see CapturePolicy::sees_calls.
  static constexpr uint64_t kLedgerKey = bpf::LEDGER_KEY;
  // Under which the canary sings for a supervisor.
  static constexpr uint64_t kCanaryKey = bpf::CANARY_KEY;

  const CaptureStatus& status() const { return status_; }

  // Takes the session's rings and counters out of the kernel. Its tasks keep their tag, which then leads nowhere.
  // Succeeds when nothing was registered.
  Result<void> forget_session(uint64_t session_key);
  // Takes off what costs the whole host something, when no session is registered; the next SessionCapture puts it back.
  // False: there was nothing to do. To be called now and then: short sessions in a row need not attach anew each time.
  Result<bool> rest_when_idle();
  // Tells every registered session which of the canary's classes are not seen (CanaryReport::missed_classes); 0: none.
  Result<void> report_blind(uint64_t classes);
  // How many sequence numbers the session was given; nullopt when it is not registered.
  Result<std::optional<uint64_t>> issued(uint64_t session_key);

 private:
  CaptureHost(std::filesystem::path pins, CaptureStatus status) : pins_(std::move(pins)), status_(std::move(status)) {}

  std::filesystem::path pins_;
  CaptureStatus status_;
};

// Detaches and removes every build's pins under `bpf_dir`; unmounts bpf_dir when it is a bpffs of its own (never
// /sys/fs/bpf). Capture of sessions that still run ends with it. Succeeds when there is nothing.
Result<void> unpin_all(const std::filesystem::path& bpf_dir);

}  // namespace cairn::agent
