#include "agent/session/linger.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace cairn::agent {
namespace {

// The kernel's count of living tasks cannot be waited for; it is looked at.
constexpr int kLookIntervalMs = 200;
// A program that ends with its terminal takes a moment, PAM's end another: that is not life after the terminal.
constexpr std::chrono::seconds kUsualEnd{2};
// What is left to programs that are hung up because the node ends the session.
constexpr std::chrono::seconds kHangUpTime{3};

}  // namespace

recording::v1::EndReason Linger::run(std::chrono::seconds limit) {
  const Instant started = std::chrono::steady_clock::now();
  Instant deadline = started + limit;
  bool is_hung_up = false;
  for (;;) {
    for (OpenLogin& login : logins_) attend(login);
    std::erase_if(logins_, [](OpenLogin& login) { return login.is_closed_on_record && login.process.reap(); });
    const uint64_t live = live_processes();
    if (live == 0 && logins_.empty()) return recording::v1::END_REASON_COMPLETE;
    const Instant now = std::chrono::steady_clock::now();
    if (logins_.empty() || now - started >= kUsualEnd) mark_after_terminal(live);
    if (!is_hung_up && host_->end_reason()) {
      is_hung_up = true;
      deadline = std::min(deadline, now + kHangUpTime);
      for (OpenLogin& login : logins_) login.process.send_signal("HUP");
    }
    if (now >= deadline) break;
    wait();
  }
  for (OpenLogin& login : logins_) login.process.detach();
  return recording::v1::END_REASON_LIMIT;
}

void Linger::wait() {
  waits_.clear();
  for (const OpenLogin& login : logins_) {
    waits_.add(login.process.control(), POLLIN);
    waits_.add(login.process.pidfd(), POLLIN);
  }
  const PollSet::Slot wake_slot = waits_.add(host_->wake_fd(), POLLIN);
  waits_.wait(kLookIntervalMs);
  uint64_t count = 0;
  if (waits_.ready(wake_slot) != 0) (void)!::read(host_->wake_fd(), &count, sizeof count);
}

void Linger::attend(OpenLogin& login) {
  const std::optional<v1::FromLogin> word = login.process.receive();
  if (!word || login.is_closed_on_record) return;
  host_->record(channel_closed_event(login.channel, channel_exit(*word), host_->boot_ns()));
  login.is_closed_on_record = true;
}

uint64_t Linger::live_processes() {
  if (pump_ == nullptr) return logins_.size();
  const Result<SessionCounters> counters = pump_->counters();
  if (counters) return counters->live_tasks;
  log_.warn("capture.uncounted", kv_error(counters.error()));
  return logins_.size();
}

void Linger::mark_after_terminal(uint64_t live) {
  if (live == 0 || std::exchange(is_marked_, true)) return;
  recording::v1::Event event;
  event.set_boot_ns(host_->boot_ns());
  event.mutable_after_terminal()->set_live_processes(live);
  host_->record(std::move(event));
  log_.info("session.lingers", kv("live", live));
}

}  // namespace cairn::agent
