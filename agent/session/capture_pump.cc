#include "agent/session/capture_pump.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "agent/capture/canary.h"
#include "base/clock.h"

namespace cairn::agent {
namespace {

// Nobody waits that long for the disk without looking whether it shall stop.
constexpr std::chrono::milliseconds kRoomWait{200};
// How often the rings are looked at while something happens, and when that is over.
constexpr std::chrono::milliseconds kLook{10};
constexpr std::chrono::milliseconds kAwake{200};
constexpr std::chrono::milliseconds kGlance{1000};
// What is counted in the kernel is put on record so often while something happens.
constexpr std::chrono::seconds kFoldInterval{5};
// What the end of a session waits for the last executables to be read.
constexpr std::chrono::seconds kHashPatience{5};

}  // namespace

Result<std::unique_ptr<CapturePump>> CapturePump::start(SessionCapture capture, SessionRecorder* recorder,
                                                        bool needs_all, std::function<void()> wake, Log log) {
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop) return fail_errno("eventfd");
  return std::unique_ptr<CapturePump>(
      new CapturePump(std::move(capture), recorder, needs_all, std::move(stop), std::move(wake), std::move(log)));
}

CapturePump::CapturePump(SessionCapture capture, SessionRecorder* recorder, bool needs_all, UniqueFd stop,
                         std::function<void()> wake, Log log)
    : capture_(std::move(capture)),
      recorder_(recorder),
      hasher_([recorder](recording::v1::Event event) { recorder->add(std::move(event)); }, &clock_),
      needs_all_(needs_all),
      stop_(std::move(stop)),
      wake_(std::move(wake)),
      log_(std::move(log)) {
  thread_ = std::thread([this] { run(); });
}

CapturePump::~CapturePump() { stop(); }

void CapturePump::stop() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

Result<void> CapturePump::tag(int pidfd) {
  const std::scoped_lock lock(mutex_);
  return capture_.tag(pidfd);
}

Result<SessionCounters> CapturePump::counters() {
  const std::scoped_lock lock(mutex_);
  return capture_.counters();
}

std::optional<Error> CapturePump::failure() const {
  const std::scoped_lock lock(mutex_);
  return failure_;
}

Result<size_t> CapturePump::drain() {
  const std::scoped_lock lock(mutex_);
  Result<size_t> drained = capture_.drain([this](recording::v1::Event event) {
    if (event.has_exec()) hasher_.note(event.mutable_exec());
    recorder_->add(std::move(event));
  });
  if (!drained) return drained;
  if (const Result<void> released = capture_.release_held(); !released) return fail(released);
  return drained;
}

Result<void> CapturePump::report_folds() {
  const std::scoped_lock lock(mutex_);
  return capture_.report_folds([this](recording::v1::Event event) { recorder_->add(std::move(event)); });
}

void CapturePump::set_polled(bool is_polled) {
  const std::scoped_lock lock(mutex_);
  capture_.set_polled(is_polled);
}

// One look at the rings. False: there is nothing more to do.
bool CapturePump::look(size_t* drained) {
  *drained = 0;
  if (!recorder_->await_room(kRoomWait)) return true;
  Result<size_t> found = drain();
  if (const auto now = std::chrono::steady_clock::now(); found && now >= folds_due_) {
    folds_due_ = now + kFoldInterval;
    if (const Result<void> reported = report_folds(); !reported) found = fail(reported);
  }
  if (const Result<void> sees = check_sight(); found && !sees) found = fail(sees);
  if (found) {
    *drained = *found;
    return true;
  }
  give_up(found.error());
  return false;
}

// What the agent's canary says of the hooks; what they do not see has no number, and would be missing without a word.
Result<void> CapturePump::check_sight() {
  const uint64_t blind = capture_.blind_classes();
  if (blind == blind_classes_) return {};
  const uint64_t new_ones = blind & ~blind_classes_;
  blind_classes_ = blind;
  if (new_ones == 0) return {};
  const std::string names = canary_class_names(new_ones);
  log_.error("capture.blind", kv("classes", names));
  recording::v1::Event gap;
  gap.set_boot_ns(clock_.boot_ns());
  gap.mutable_gap()->set_reason(recording::v1::GAP_REASON_NOT_SEEN);
  gap.mutable_gap()->set_classes(names);
  recorder_->add(std::move(gap));
  if (!needs_all_) return {};
  return fail(Errc::kUnavailable, fmt::format("the kernel's programs are attached and no longer see: {}", names));
}

void CapturePump::give_up(Error error) {
  log_.error("capture.failed", kv_error(error));
  {
    const std::scoped_lock lock(mutex_);
    failure_ = std::move(error);
  }
  wake_();
}

// Asleep until the first record, but for a glance every kGlance; then awake, looking every kLook, until nothing has
// come for kAwake.
void CapturePump::run() {
  std::array<struct pollfd, 2> waits{{{.fd = capture_.epoll_fd(), .events = POLLIN, .revents = 0},
                                      {.fd = stop_.get(), .events = POLLIN, .revents = 0}}};
  bool is_awake = false;
  auto last_event = std::chrono::steady_clock::now();
  for (;;) {
    const int limit_ms = is_awake ? static_cast<int>(kLook.count()) : static_cast<int>(kGlance.count());
    if (::poll(waits.data(), waits.size(), limit_ms) < 0 && errno != EINTR) return;
    if (waits[1].revents != 0) return;
    size_t drained = 0;
    if (!look(&drained)) return;
    const auto now = std::chrono::steady_clock::now();
    if (drained != 0) last_event = now;
    if (is_awake && now - last_event < kAwake) continue;
    // The rings are looked at once more after the change: what came before it woke nobody.
    is_awake = !is_awake && drained != 0;
    set_polled(is_awake);
    if (!look(&drained)) return;
    if (drained == 0) continue;
    last_event = std::chrono::steady_clock::now();
    if (!is_awake) set_polled(is_awake = true);
  }
}

Result<uint64_t> CapturePump::finish() {
  stop();
  {
    const std::scoped_lock lock(mutex_);
    if (Result<void> stopped = capture_.stop(); !stopped) return fail(stopped, "end the capture");
  }
  for (;;) {
    recorder_->await_room(std::chrono::minutes(1));
    const Result<size_t> drained = drain();
    if (!drained) return fail(drained, "drain the last kernel events");
    if (*drained == 0) break;
  }
  if (Result<void> reported = report_folds(); !reported) return fail(reported);
  if (!hasher_.finish(kHashPatience)) log_.warn("capture.unhashed");
  const Result<SessionCounters> last = counters();
  if (!last) return fail(last, "read the session's counters");
  if (last->untagged_children > 0) log_.warn("capture.untagged", kv("tasks", last->untagged_children));
  return last->issued;
}

}  // namespace cairn::agent
