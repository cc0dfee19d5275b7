#pragma once

#include <cstdint>
#include <filesystem>

#include "agent/capture/capture_status.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "bpf/events.h"

namespace cairn::agent {

// One session's counters, mapped into this process. The kernel adds to them at any moment: every access is atomic.
class SharedCounters {
 public:
  using Counter = __u64 bpf::session_state::*;

  SharedCounters() = default;
  SharedCounters(SharedCounters&& other) noexcept;
  SharedCounters& operator=(SharedCounters&& other) noexcept;
  ~SharedCounters();

  static Result<SharedCounters> map(const UniqueFd& states);

  uint64_t load(Counter counter) const;
  void add(Counter counter, uint64_t count);
  void set_polled(bool is_polled);
  void set_lossless();
  void set_aggregating();
  void set_blind(uint64_t classes);
  uint64_t dropped() const;  // of all classes and reasons

 private:
  bpf::session_state* state_ = nullptr;
};

// A session's place in the kernel: its counters and rings, made here and put into the pinned maps; taken out on
// destruction.
class SessionRegistration {
 public:
  static Result<SessionRegistration> make(const std::filesystem::path& pins, uint64_t session_key, RingSizes sizes);
  SessionRegistration(SessionRegistration&&) noexcept = default;
  SessionRegistration& operator=(SessionRegistration&&) = delete;
  ~SessionRegistration();

  // Takes the session out; what is in the rings and counters stays readable. Idempotent.
  Result<void> remove();

  const UniqueFd& exec_ring() const { return exec_ring_; }
  const UniqueFd& open_ring() const { return open_ring_; }
  const UniqueFd& folds() const { return folds_; }  // bpf::fold_key → bpf::fold_count
  const UniqueFd& sessions() const { return sessions_; }
  SharedCounters& counters() { return counters_; }
  const SharedCounters& counters() const { return counters_; }

 private:
  SessionRegistration() = default;
  Result<void> make_maps(RingSizes sizes);
  Result<void> put(const UniqueFd& outer, const UniqueFd& inner);

  uint64_t session_key_ = 0;
  UniqueFd sessions_;  // the pinned maps of maps
  UniqueFd exec_rings_;
  UniqueFd open_rings_;
  UniqueFd all_folds_;
  UniqueFd state_;  // what this session brings
  UniqueFd exec_ring_;
  UniqueFd open_ring_;
  UniqueFd folds_;
  SharedCounters counters_;
};

}  // namespace cairn::agent
