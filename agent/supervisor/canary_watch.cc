#include "agent/supervisor/canary_watch.h"

#include <chrono>
#include <tuple>
#include <utility>

namespace cairn::agent {
namespace {

constexpr std::chrono::seconds kInterval{1};
// Starts in a millisecond, where the agent itself takes ten.
constexpr const char* kProgram = "/bin/true";

}  // namespace

awaitable<void> CanaryWatch::run() {
  for (;;) {
    co_await sleep_for(kInterval);
    if (has_sessions_()) {
      note(co_await pool_->run([this] { return sing(); }));
    } else if (canary_) {
      std::ignore = co_await pool_->run([this] {
        canary_.reset();
        return Result<void>();
      });
    }
  }
}

Result<CanaryReport> CanaryWatch::sing() {
  if (!canary_) {
    Result<Canary> opened = Canary::open(bpf_dir_, {kProgram}, CaptureHost::kCanaryKey);
    if (!opened) return fail(opened);
    canary_.emplace(*std::move(opened));
  }
  Result<CanaryReport> report = canary_->sing();
  if (!report) canary_.reset();
  // Every time, and not when it changes alone: a session may have begun since.
  if (report && (report->missed_classes != 0 || !blind_.empty())) {
    if (Result<void> told = capture_->report_blind(report->missed_classes); !told) return fail(told);
  }
  return report;
}

void CanaryWatch::note(const Result<CanaryReport>& report) {
  std::string blind = report ? canary_class_names(report->missed_classes) : "unknown: " + report.error().message;
  if (blind == blind_) return;
  if (blind.empty()) {
    log_.info("capture.sees", kv("classes", blind_));
  } else {
    log_.error("capture.blind", kv("classes", blind));
  }
  blind_ = blind;
  changed_(std::move(blind));
}

}  // namespace cairn::agent
