#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "agent/capture/capture_status.h"
#include "base/result.h"
#include "proto/recording.pb.h"

namespace cairn::agent {

// The worker's side of kernel capture: one session's rings and counters, registered in the maps that the supervisor
// has pinned. Works without a living supervisor (docs/decisions/worker-tags.md). One thread at a time.
class SessionCapture {
 public:
  // Makes the session's two rings and its counters and registers them.
  //   session_key  random, not 0; the tag's value
  //   fails        Errc::kUnavailable: nothing of this build is pinned under bpf_dir (the supervisor has not started);
  //                Errc::kAlreadyExists: the key is in use; Errc::kInvalid: key 0 or a ring size the kernel refuses;
  //                an errno otherwise. Nothing stays registered then.
  // Blocks while a supervisor starts or stops on the same folder, a second or two at most.
  static Result<SessionCapture> open(std::filesystem::path bpf_dir, uint64_t session_key, RingSizes sizes,
                                     CapturePolicy policy = {});

  SessionCapture(SessionCapture&&) noexcept;
  SessionCapture& operator=(SessionCapture&&) noexcept;
  ~SessionCapture();  // unregisters: what tagged tasks do from then on is recorded nowhere

  // Tags the task behind `pidfd`; every task it makes from then on inherits the tag. Call it while the task waits at
  // its gate and has one thread: what it did before is not recorded. Keeps a copy of the descriptor.
  //   fails  ESRCH: the process has ended and was reaped
  Result<void> tag(int pidfd);

  // Readable when a ring has data; borrowed, valid as long as this object.
  int epoll_fd() const;

  // While set, the descriptor becomes readable only when a ring is a quarter full: to be woken for each record costs
  // the session's programs more than the record itself. The caller then drains every few milliseconds by himself, and
  // once more after he has unset it.
  void set_polled(bool is_polled);

  // Hands over what waits in both rings, each ring in its own order, at most 65536 events per call; returns how many
  // (0: both are empty). A record that breaks its format becomes Gap{GAP_REASON_UNREADABLE}, with its sequence number
  // when that could be read.
  Result<size_t> drain(const std::function<void(recording::v1::Event)>& sink);

  // Lets go on whom the kernel holds (LossPolicy::kLossless). To be called behind each drain().
  Result<void> release_held();

  // Hands over a Folded event, without a number, for each program and file that was counted since the last call. To be
  // called every few seconds, and at the end behind drain().
  Result<void> report_folds(const std::function<void(recording::v1::Event)>& sink);

  Result<SessionCounters> counters() const;

  // Stops the recording of kernel events: unregisters and waits until every BPF program that had found the session has
  // ended. From then on counters().issued is final and the rings hold all there will be: drain() until it returns 0.
  // Idempotent.
  Result<void> stop();

  // Which of the canary's classes the agent found unseen at its last look; 0: none.
  uint64_t blind_classes() const;

  const CaptureStatus& status() const;

 private:
  struct State;
  explicit SessionCapture(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace cairn::agent
