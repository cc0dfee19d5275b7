#include "agent/supervisor/heartbeat.h"

#include <utility>

namespace cairn::agent {
namespace {

constexpr std::chrono::milliseconds kAnswerLimit{5'000};

}  // namespace

Heartbeat::Heartbeat(AuthCaller* auth, Describe describe, std::chrono::milliseconds interval, Log log)
    : auth_(auth), describe_(std::move(describe)), interval_(interval), log_(std::move(log)) {}

awaitable<void> Heartbeat::beat() {
  auth::v1::Request request;
  *request.mutable_heartbeat() = describe_();
  const Result<auth::v1::Response> response = co_await auth_->call(std::move(request), kAnswerLimit);
  co_await end_if_cancelled();
  if (response && std::exchange(is_missed_, false)) log_.info("heartbeat.resumed");
  if (!response && !std::exchange(is_missed_, true)) log_.warn("heartbeat.missed", kv_error(response.error()));
}

awaitable<void> Heartbeat::run() {
  for (;;) {
    co_await sleep_for(interval_);
    co_await beat();
  }
}

}  // namespace cairn::agent
