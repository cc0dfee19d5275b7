#include "agent/supervisor/heartbeat.h"

#include <utility>

namespace cairn::agent {
namespace {

constexpr std::chrono::milliseconds kAnswerLimit{5'000};

}  // namespace

Heartbeat::Heartbeat(AuthCaller* auth, Describe describe, std::chrono::milliseconds interval, Log log)
    : auth_(auth), describe_(std::move(describe)), interval_(interval), log_(std::move(log)) {}

awaitable<Result<auth::v1::Response>> Heartbeat::tell() {
  auth::v1::Request request;
  *request.mutable_heartbeat() = describe_();
  co_return co_await auth_->call(std::move(request), kAnswerLimit);
}

awaitable<void> Heartbeat::beat() {
  const bool was_linked = auth_->is_connected();
  Result<auth::v1::Response> response = co_await tell();
  co_await end_if_cancelled();
  // A link that was cut since (auth has restarted) shows it at its next use: no reason to be offline until the one
  // after.
  if (!response && was_linked) response = co_await tell();
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
