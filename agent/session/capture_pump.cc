#include "agent/session/capture_pump.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace cairn::agent {
namespace {

// Nobody waits that long for the disk without looking whether it shall stop.
constexpr std::chrono::milliseconds kRoomWait{200};
// What is counted in the kernel is put on record so often while something happens.
constexpr std::chrono::seconds kFoldInterval{5};

}  // namespace

Result<std::unique_ptr<CapturePump>> CapturePump::start(SessionCapture capture, SessionRecorder* recorder,
                                                        std::function<void()> wake, Log log) {
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop) return fail_errno("eventfd");
  return std::unique_ptr<CapturePump>(
      new CapturePump(std::move(capture), recorder, std::move(stop), std::move(wake), std::move(log)));
}

CapturePump::CapturePump(SessionCapture capture, SessionRecorder* recorder, UniqueFd stop, std::function<void()> wake,
                         Log log)
    : capture_(std::move(capture)),
      recorder_(recorder),
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
  return capture_.drain([this](recording::v1::Event event) { recorder_->add(std::move(event)); });
}

Result<void> CapturePump::report_folds() {
  const std::scoped_lock lock(mutex_);
  return capture_.report_folds([this](recording::v1::Event event) { recorder_->add(std::move(event)); });
}

void CapturePump::run() {
  std::array<struct pollfd, 2> waits{{{.fd = capture_.epoll_fd(), .events = POLLIN, .revents = 0},
                                      {.fd = stop_.get(), .events = POLLIN, .revents = 0}}};
  for (;;) {
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return;
    if (waits[1].revents != 0) return;
    if (!recorder_->await_room(kRoomWait)) continue;
    Result<size_t> drained = drain();
    if (const auto now = std::chrono::steady_clock::now(); drained && now >= folds_due_) {
      folds_due_ = now + kFoldInterval;
      if (const Result<void> reported = report_folds(); !reported) drained = fail(reported);
    }
    if (drained) continue;
    log_.error("capture.failed", kv_error(drained.error()));
    {
      const std::scoped_lock lock(mutex_);
      failure_ = drained.error();
    }
    wake_();
    return;
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
  const Result<SessionCounters> last = counters();
  if (!last) return fail(last, "read the session's counters");
  if (last->untagged_children > 0) log_.warn("capture.untagged", kv("tasks", last->untagged_children));
  return last->issued;
}

}  // namespace cairn::agent
