#include "agent/supervisor/exec_ledger.h"

#include <chrono>
#include <utility>

#include <fmt/format.h>

namespace cairn::agent {
namespace {

constexpr std::chrono::seconds kLookInterval{1};
constexpr RingSizes kRings{.exec_bytes = 256 * 1024, .open_bytes = 4 * 1024};
constexpr size_t kMaxPath = 512;
constexpr size_t kMaxCommand = 1024;

std::string cut(std::string text, size_t most) {
  if (text.size() > most) text.resize(most);
  return text;
}

// Arguments as a shell would take them, what is not printable escaped.
std::string command_of(const recording::v1::Exec& exec) {
  std::string command;
  for (const std::string& argument : exec.argv()) {
    if (command.size() > kMaxCommand) break;
    command += (command.empty() ? "" : " ") + quoted_if_needed(argument);
  }
  return cut(std::move(command), kMaxCommand);
}

audit::v1::AuditEvent missed_event(const std::string& why, uint64_t count) {
  audit::v1::AuditEvent event;
  event.set_kind("host.exec_missed");
  event.set_message(why);
  (*event.mutable_fields())["count"] = std::to_string(count);
  return event;
}

}  // namespace

audit::v1::AuditEvent host_exec_event(const recording::v1::Event& event, int64_t wall_ns_at_boot) {
  const recording::v1::Exec& exec = event.exec();
  audit::v1::AuditEvent told;
  told.set_kind("host.exec");
  told.set_success(true);
  const std::string command = command_of(exec);
  told.set_message(command);
  auto& fields = *told.mutable_fields();
  fields["executable"] = cut(quoted_if_needed(exec.executable().path()), kMaxPath);
  fields["cwd"] = cut(quoted_if_needed(exec.cwd().path()), kMaxPath);
  fields["pid"] = std::to_string(exec.process().pid());
  fields["parent_pid"] = std::to_string(exec.process().parent_pid());
  fields["uid"] = std::to_string(exec.process().uid());
  fields["at_wall_ns"] = std::to_string(wall_ns_at_boot + static_cast<int64_t>(event.boot_ns()));
  return told;
}

Result<SessionCapture*> ExecLedger::ledger() {
  if (ledger_) return &*ledger_;
  Result<SessionCapture> opened = SessionCapture::open(bpf_dir_, CaptureHost::kLedgerKey, kRings,
                                                       {.sees_calls = false, .stream = EventStream::kFull});
  if (!opened) return fail(opened);
  return &ledger_.emplace(*std::move(opened));
}

Result<std::vector<audit::v1::AuditEvent>> ExecLedger::look() {
  const Result<SessionCapture*> ledger = this->ledger();
  if (!ledger) return fail(ledger);
  std::vector<audit::v1::AuditEvent> found;
  uint64_t too_many = 0;
  const int64_t wall_ns_at_boot = clock_->wall_ns() - static_cast<int64_t>(clock_->boot_ns());
  const Result<size_t> drained = (*ledger)->drain([&](const recording::v1::Event& event) {
    if (!event.has_exec()) return;
    if (found.size() < kMaxPerLook) {
      found.push_back(host_exec_event(event, wall_ns_at_boot));
    } else {
      ++too_many;
    }
  });
  if (!drained) return fail(drained);
  if (too_many > 0) found.push_back(missed_event("more executions than are told in a second", too_many));
  const Result<SessionCounters> counters = (*ledger)->counters();
  if (!counters) return fail(counters);
  if (counters->dropped > lost_) {
    found.push_back(
        missed_event("the kernel's ring was full", counters->dropped - std::exchange(lost_, counters->dropped)));
  }
  return found;
}

awaitable<void> ExecLedger::run() {
  bool is_told = true;
  for (;;) {
    Result<std::vector<audit::v1::AuditEvent>> found = co_await pool_->run([this] { return look(); });
    if (!found) {
      log_.warn("ledger.failed", kv_error(found.error()));
      co_return;
    }
    for (audit::v1::AuditEvent& event : *found) {
      const Result<void> told = co_await tell_(std::move(event));
      if (!told && is_told) log_.warn("ledger.untold", kv_error(told.error()));
      is_told = told.has_value();
    }
    co_await sleep_for(kLookInterval);
  }
}

}  // namespace cairn::agent
