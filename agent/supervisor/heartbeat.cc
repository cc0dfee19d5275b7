#include "agent/supervisor/heartbeat.h"

#include <algorithm>
#include <utility>

namespace cairn::agent {
namespace {

constexpr std::chrono::milliseconds kAnswerLimit{4'000};
constexpr std::chrono::milliseconds kRetry{30'000};

}  // namespace

Heartbeat::Heartbeat(Ask ask, Describe describe, std::chrono::milliseconds interval, Log log)
    : ask_(std::move(ask)),
      describe_(std::move(describe)),
      interval_(interval, interval),
      retry_(std::min(interval, kRetry), std::min(interval, kRetry)),
      log_(std::move(log)) {}

awaitable<Result<auth::v1::Response>> Heartbeat::tell() {
  auth::v1::Request request;
  *request.mutable_heartbeat() = describe_();
  co_return co_await ask_(std::move(request), kAnswerLimit);
}

awaitable<void> Heartbeat::beat() {
  Result<auth::v1::Response> response = co_await tell();
  co_await end_if_cancelled();
  if (!response) response = co_await tell();
  co_await end_if_cancelled();
  if (response && std::exchange(is_missed_, false)) log_.info("heartbeat.resumed");
  if (!response && !std::exchange(is_missed_, true)) log_.warn("heartbeat.missed", kv_error(response.error()));
}

awaitable<void> Heartbeat::run() {
  for (;;) {
    co_await sleep_for(is_missed_ ? retry_.next() : interval_.next());
    co_await beat();
  }
}

}  // namespace cairn::agent
