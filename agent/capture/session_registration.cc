#include "agent/capture/session_registration.h"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <utility>

#include <bpf/bpf.h>
#include <fmt/format.h>

#include "agent/capture/pins.h"
#include "agent/capture/tier.h"
#include "bpf/events.h"

namespace cairn::agent {
namespace {

std::atomic_ref<__u64> atomic(__u64* counter) { return std::atomic_ref<__u64>(*counter); }

Result<UniqueFd> make_ring(const char* name, uint32_t bytes) {
  UniqueFd ring(bpf_map_create(BPF_MAP_TYPE_RINGBUF, name, 0, 0, bytes, nullptr));
  if (ring) return ring;
  if (errno == EINVAL) {
    return fail(Errc::kInvalid, fmt::format("ring of {} bytes: not a power of two of at least one page", bytes));
  }
  return fail_errno(fmt::format("make a ring of {} bytes", bytes));
}

}  // namespace

SharedCounters::SharedCounters(SharedCounters&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}

SharedCounters& SharedCounters::operator=(SharedCounters&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

SharedCounters::~SharedCounters() {
  if (state_ != nullptr) ::munmap(state_, sizeof(bpf::session_state));
}

Result<SharedCounters> SharedCounters::map(const UniqueFd& states) {
  void* at = ::mmap(nullptr, sizeof(bpf::session_state), PROT_READ | PROT_WRITE, MAP_SHARED, states.get(), 0);
  if (at == MAP_FAILED) return fail_errno("map a session's counters");
  SharedCounters counters;
  counters.state_ = static_cast<bpf::session_state*>(at);
  return counters;
}

uint64_t SharedCounters::load(Counter counter) const { return atomic(&(state_->*counter)); }

void SharedCounters::add(Counter counter, uint64_t count) { atomic(&(state_->*counter)) += count; }

void SharedCounters::set_polled(bool is_polled) { atomic(&state_->is_polled) = is_polled ? 1 : 0; }

void SharedCounters::set_blind(uint64_t classes) { atomic(&state_->blind_classes) = classes; }

void SharedCounters::set_aggregating() { atomic(&state_->is_aggregating) = 1; }

void SharedCounters::set_lossless() { atomic(&state_->is_lossless) = 1; }

uint64_t SharedCounters::dropped() const {
  uint64_t sum = 0;
  for (auto& reasons : state_->dropped) {
    for (auto& count : reasons) sum += atomic(&count);
  }
  return sum;
}

Result<SessionRegistration> SessionRegistration::make(const std::filesystem::path& pins, uint64_t session_key,
                                                      RingSizes sizes) {
  SessionRegistration made;
  for (auto [name, map] : {std::pair(kSessionsMap, &made.sessions_), std::pair(kExecRingsMap, &made.exec_rings_),
                           std::pair(kOpenRingsMap, &made.open_rings_), std::pair(kFoldsMap, &made.all_folds_)}) {
    Result<UniqueFd> opened = open_pinned_map(pins, name);
    if (!opened) return fail(opened);
    *map = *std::move(opened);
  }
  if (Result<void> maps = made.make_maps(sizes); !maps) return fail(maps);

  // The key is claimed by the first entry, so that a second session of the same key takes nothing out on its way.
  made.session_key_ = session_key;
  if (Result<void> claimed = made.put(made.exec_rings_, made.exec_ring_); !claimed) {
    made.session_key_ = 0;
    return fail(claimed);
  }
  Result<void> done = made.put(made.open_rings_, made.open_ring_);
  if (done) done = made.put(made.all_folds_, made.folds_);
  if (done) done = made.put(made.sessions_, made.state_);  // last: from here on programs find the session
  if (!done) return fail(done);
  return made;
}

Result<void> SessionRegistration::make_maps(RingSizes sizes) {
  bpf_map_create_opts mappable{};
  mappable.sz = sizeof(mappable);
  mappable.map_flags = BPF_F_MMAPABLE;
  state_ = UniqueFd(
      bpf_map_create(BPF_MAP_TYPE_ARRAY, "cairn_state", sizeof(uint32_t), sizeof(bpf::session_state), 1, &mappable));
  if (!state_) return fail_errno("make a session's counters");
  Result<SharedCounters> counters = SharedCounters::map(state_);
  if (!counters) return fail(counters);
  counters_ = *std::move(counters);

  Result<UniqueFd> exec_ring = make_ring("cairn_exec", sizes.exec_bytes);
  if (!exec_ring) return fail(exec_ring);
  exec_ring_ = *std::move(exec_ring);
  Result<UniqueFd> open_ring = make_ring("cairn_open", sizes.open_bytes);
  if (!open_ring) return fail(open_ring);
  open_ring_ = *std::move(open_ring);

  bpf_map_create_opts growing{};
  growing.sz = sizeof(growing);
  growing.map_flags = BPF_F_NO_PREALLOC;
  folds_ = UniqueFd(bpf_map_create(BPF_MAP_TYPE_HASH, "cairn_folds", sizeof(bpf::fold_key), sizeof(bpf::fold_count),
                                   bpf::FOLDS_MAX, &growing));
  if (!folds_) return fail_errno("make a session's map of counted files");
  return {};
}

Result<void> SessionRegistration::put(const UniqueFd& outer, const UniqueFd& inner) {
  const int value = inner.get();
  if (bpf_map_update_elem(outer.get(), &session_key_, &value, BPF_NOEXIST) == 0) return {};
  if (errno == EEXIST) {
    return fail(Errc::kAlreadyExists, fmt::format("session key {} is registered already", session_key_));
  }
  if (errno == E2BIG) return fail(Errc::kUnavailable, "the kernel maps hold as many sessions as they can; end some");
  return fail_errno(fmt::format("register session {}", session_key_));
}

Result<void> SessionRegistration::remove() {
  if (session_key_ == 0) return {};
  const uint64_t key = std::exchange(session_key_, 0);
  Result<void> done;
  // The counters first: without them no program looks for a ring. All of them, whatever becomes of one.
  for (const UniqueFd* outer : {&sessions_, &exec_rings_, &open_rings_, &all_folds_}) {
    if (Result<void> removed = unregister(*outer, key); !removed) done = std::move(removed);
  }
  return done;
}

SessionRegistration::~SessionRegistration() {
  if (sessions_) static_cast<void>(remove());  // a destructor has nobody to tell; forget_session() clears what stays
}

}  // namespace cairn::agent
