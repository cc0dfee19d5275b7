#include "agent/capture/session_capture.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include "agent/capture/event_decoder.h"
#include "agent/capture/fold_table.h"
#include "agent/capture/pins.h"
#include "agent/capture/session_registration.h"
#include "agent/capture/task_tags.h"
#include "base/clock.h"
#include "base/unique_fd.h"
#include "bpf/events.h"

namespace cairn::agent {
namespace {

constexpr size_t kMaxEventsPerDrain = 65536;

struct FreeRingBuffer {
  void operator()(ring_buffer* reader) const noexcept { ring_buffer__free(reader); }
};
using RingBuffer = std::unique_ptr<ring_buffer, FreeRingBuffer>;

}  // namespace

struct SessionCapture::State {
  // One drain(): where its events go and how many went.
  struct Drain {
    const std::function<void(recording::v1::Event)>* sink = nullptr;
    size_t count = 0;
  };

  State(uint64_t key, CaptureStatus in_force, TaskTags all_tags, SessionRegistration made)
      : session_key(key), status(std::move(in_force)), tags(std::move(all_tags)), registration(std::move(made)) {}

  static int on_record(void* self, void* record, size_t bytes);
  Result<void> make_reader();
  Result<void> take_from_other_session(const UniqueFd& root, const bpf::tag& mine);
  void taint_target(recording::v1::Tamper* tamper) const;
  uint64_t count_dead_roots();

  uint64_t session_key;
  CaptureStatus status;
  TaskTags tags;
  SessionRegistration registration;
  RingBuffer reader;
  std::vector<UniqueFd> living_roots;  // pidfds of tagged tasks
  uint64_t dead_roots = 0;
  Drain drain;
  std::optional<FoldTable> folds;  // none: the full stream
  UniqueFd held;                   // none: nobody is held
  uint64_t holds_released = 0;
};

int SessionCapture::State::on_record(void* self, void* record, size_t bytes) {
  State& state = *static_cast<State*>(self);
  const std::string_view view(static_cast<const char*>(record), bytes);
  Result<recording::v1::Event> event = decode_event(view, state.session_key);
  if (event && state.folds) state.folds->learn(state.registration.folds(), *event);
  if (event && event->has_tamper()) state.taint_target(event->mutable_tamper());
  (*state.drain.sink)(event ? *std::move(event) : unreadable_event(view, state.session_key, SystemClock().boot_ns()));
  // libbpf has taken the record all the same when it stops here.
  return ++state.drain.count < kMaxEventsPerDrain ? 0 : -ECANCELED;
}

// Kernels before 6.2 do not let a program tag the process that the session reached into: it is done here, as soon as
// the record is read. Who was tagged before, or is gone, stays as he is.
void SessionCapture::State::taint_target(recording::v1::Tamper* tamper) const {
  const bool is_done_in_kernel = tamper->target_start_boot_ns() != 0;
  if (is_done_in_kernel || tamper->target_pid() == 0 || tamper->result() < 0) return;
  if (tamper->kind() != recording::v1::TAMPER_KIND_PTRACE && tamper->kind() != recording::v1::TAMPER_KIND_VM_WRITE) {
    return;
  }
  const UniqueFd target(static_cast<int>(::syscall(SYS_pidfd_open, tamper->target_pid(), 0)));
  if (!target) return;
  const Result<bool> is_new = tags.give(target, {.session_key = session_key, .flags = bpf::TAG_INJECTED});
  if (!is_new || !*is_new) return;
  tamper->set_target_outside(true);
  tamper->set_tainted(true);
}

Result<void> SessionCapture::State::make_reader() {
  reader.reset(ring_buffer__new(registration.exec_ring().get(), on_record, this, nullptr));
  if (!reader) return fail_errno("read the exec ring");
  if (const int failed = ring_buffer__add(reader.get(), registration.open_ring().get(), on_record, this); failed != 0) {
    return fail_errno(-failed, "read the open ring");
  }
  return {};
}

// The task carries another session's tag: the agent itself was started in a session. It dies in ours, so the other one
// must not wait for it.
Result<void> SessionCapture::State::take_from_other_session(const UniqueFd& root, const bpf::tag& mine) {
  const Result<bpf::tag> other = tags.replace(root, mine);
  if (!other) return fail(other);
  const Result<UniqueFd> states = inner_map(registration.sessions(), other->session_key);
  if (!states) return fail(states);
  if (!*states) return {};
  Result<SharedCounters> counters = SharedCounters::map(*states);
  if (!counters) return fail(counters);
  counters->add(&bpf::session_state::tasks_died, 1);
  return {};
}

uint64_t SessionCapture::State::count_dead_roots() {
  dead_roots += std::erase_if(living_roots, has_ended);
  return dead_roots;
}

SessionCapture::SessionCapture(std::unique_ptr<State> state) : state_(std::move(state)) {}
SessionCapture::SessionCapture(SessionCapture&&) noexcept = default;
SessionCapture& SessionCapture::operator=(SessionCapture&&) noexcept = default;
SessionCapture::~SessionCapture() = default;

Result<SessionCapture> SessionCapture::open(std::filesystem::path bpf_dir, uint64_t session_key, RingSizes sizes,
                                            CapturePolicy policy) {
  if (session_key == 0) return fail(Errc::kInvalid, "session key 0 stands for no session");
  const Result<UniqueFd> lock = lock_pins(bpf_dir);
  if (!lock && lock.error().code != std::errc::no_such_file_or_directory) return fail(lock);
  std::optional<PinnedTier> pinned;
  if (lock) pinned = find_pinned(bpf_dir);
  if (!pinned) {
    return fail(Errc::kUnavailable,
                fmt::format("no capture programs of this build are pinned under {}; is cairn-agent running?",
                            bpf_dir.string()));
  }
  Result<TaskTags> tags = TaskTags::open(pinned->folder);
  if (!tags) return fail(tags);
  Result<SessionRegistration> registration = SessionRegistration::make(pinned->folder, session_key, sizes);
  if (!registration) return fail(registration);
  if (Result<void> done = protect_this_process(pinned->folder); !done) return fail(done);
  if (policy.sees_calls) {
    if (Result<void> attached = attach_on_demand(pinned->folder); !attached) return fail(attached);
  }
  auto state =
      std::make_unique<State>(session_key, std::move(pinned->status), *std::move(tags), *std::move(registration));
  const bool is_aggregating = policy.loss == LossPolicy::kAggregate;
  const bool is_folding = policy.stream == EventStream::kFolded;
  if (is_folding || is_aggregating) state->folds.emplace(is_folding, is_aggregating);
  if (is_aggregating) state->registration.counters().set_aggregating();
  if (policy.loss == LossPolicy::kLossless) {
    Result<UniqueFd> held = open_pinned_map(pinned->folder, kHeldMap);
    if (!held) return fail(held);
    state->held = *std::move(held);
    state->registration.counters().set_lossless();
  }
  if (Result<void> made = state->make_reader(); !made) return fail(made);
  return SessionCapture(std::move(state));
}

Result<void> SessionCapture::tag(int pidfd) {
  UniqueFd root(::fcntl(pidfd, F_DUPFD_CLOEXEC, 0));
  if (!root) return fail_errno("keep the task's pidfd");
  const bpf::tag tag{.session_key = state_->session_key, .flags = bpf::TAG_ROOT};
  // Counted before it can die: never does the session look empty while it lives.
  SharedCounters& counters = state_->registration.counters();
  counters.add(&bpf::session_state::tasks_born, 1);
  const Result<bool> is_new = state_->tags.give(root, tag);
  Result<void> tagged = is_new ? Result<void>() : fail(is_new);
  if (is_new && !*is_new) tagged = state_->take_from_other_session(root, tag);
  if (!tagged) {
    counters.add(&bpf::session_state::tasks_died, 1);
    return tagged;
  }
  state_->living_roots.push_back(std::move(root));
  return {};
}

int SessionCapture::epoll_fd() const { return ring_buffer__epoll_fd(state_->reader.get()); }

void SessionCapture::set_polled(bool is_polled) { state_->registration.counters().set_polled(is_polled); }

Result<size_t> SessionCapture::drain(const std::function<void(recording::v1::Event)>& sink) {
  state_->drain = {.sink = &sink, .count = 0};
  const int consumed = ring_buffer__consume(state_->reader.get());
  state_->drain.sink = nullptr;
  if (consumed < 0 && consumed != -ECANCELED) return fail_errno(-consumed, "read the session's rings");
  return state_->drain.count;
}

Result<void> SessionCapture::release_held() {
  const uint64_t holds = state_->registration.counters().load(&bpf::session_state::holds);
  if (!state_->held || holds == state_->holds_released) return {};
  state_->holds_released = holds;
  bpf::held_key key{};
  std::vector<bpf::held_key> found;
  const bpf::held_key* before = nullptr;
  while (bpf_map_get_next_key(state_->held.get(), before, &key) == 0) {
    before = &key;
    if (key.session_key == state_->session_key) found.push_back(key);
  }
  if (errno != ENOENT) return fail_errno("read who is held");
  for (const bpf::held_key& process : found) {
    // Taken out before it goes on: when it is held again, it is found again.
    bpf_map_delete_elem(state_->held.get(), &process);
    ::kill(static_cast<pid_t>(process.pid), SIGCONT);
  }
  return {};
}

Result<void> SessionCapture::report_folds(const std::function<void(recording::v1::Event)>& sink) {
  std::optional<FoldTable>& folds = state_->folds;
  return folds ? folds->report(state_->registration.folds(), sink) : Result<void>();
}

Result<SessionCounters> SessionCapture::counters() const {
  const SharedCounters& counters = state_->registration.counters();
  // A task that was dying while it was tagged may have passed the exit hook untagged: its death is known by its pidfd.
  // Deaths before births: a task born between the two reads is counted as alive.
  const uint64_t dead_roots = state_->count_dead_roots();
  const uint64_t uncounted = dead_roots - std::min(dead_roots, counters.load(&bpf::session_state::roots_died));
  const uint64_t died = counters.load(&bpf::session_state::tasks_died) + uncounted;
  const uint64_t born = counters.load(&bpf::session_state::tasks_born);
  return SessionCounters{.issued = counters.load(&bpf::session_state::issued),
                         .folded = counters.load(&bpf::session_state::folded),
                         .dropped = counters.dropped(),
                         .live_tasks = born - std::min(born, died),
                         .untagged_children = counters.load(&bpf::session_state::untagged_children)};
}

uint64_t SessionCapture::blind_classes() const {
  return state_->registration.counters().load(&bpf::session_state::blind_classes);
}

Result<void> SessionCapture::stop() { return state_->registration.remove(); }

const CaptureStatus& SessionCapture::status() const { return state_->status; }

}  // namespace cairn::agent
