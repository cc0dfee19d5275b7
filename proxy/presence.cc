#include "proxy/presence.h"

#include <utility>

namespace cairn::proxy {
namespace {

constexpr int kMostAtOnce = 1000;  // nodes in one request

}  // namespace

Presence::Presence(const asio::any_io_executor& executor, AgentRegistry* agents, Connect connect, Log log,
                   PresenceTimes times)
    : agents_(agents),
      connect_(std::move(connect)),
      log_(std::move(log)),
      times_(times),
      backoff_(times.first_retry, times.last_retry),
      changed_(executor) {
  agents_->watch([this](const std::string& id) {
    untold_.insert(id);
    changed_.ring();
  });
}

awaitable<void> Presence::run() {
  for (;;) {
    const std::optional<Error> why = co_await report();
    co_await end_if_cancelled();
    if (!why) continue;
    before_.reset();
    if (!std::exchange(is_failing_, true)) log_.warn("presence.untold", kv_error(*why));
    co_await sleep_for(backoff_.next());
  }
}

// On one connection, for an hour at most. Returns why it could not go on, if it could not.
awaitable<std::optional<Error>> Presence::report() {
  Result<std::unique_ptr<tunnel::AuthClient>> auth = co_await connect_();
  if (!auth) co_return auth.error();
  untold_ = agents_->ids();
  for (const Deadline end = after(times_.renewal); std::chrono::steady_clock::now() < end;) {
    auto calling = (*auth)->call(next_report(), after(times_.answer_limit));
    const Result<auth::v1::Response> taken = co_await std::move(calling);
    if (!taken) co_return taken.error();
    backoff_.reset();
    if (std::exchange(is_failing_, false)) log_.info("presence.told");
    if (!untold_.empty()) continue;
    before_.reset();
    co_await sleep_for(times_.gathering);
    co_await changed_.wait_until(after(times_.sign_of_life));
  }
  before_ = std::move(*auth);
  co_return std::nullopt;
}

// What is taken into it counts as told: after a failure everything is said again.
auth::v1::Request Presence::next_report() {
  auth::v1::Request request;
  auth::v1::ReportPresenceRequest& report = *request.mutable_report_presence();
  for (int taken = 0; taken < kMostAtOnce && !untold_.empty(); ++taken) {
    const std::string id = untold_.extract(untold_.begin()).value();
    *(agents_->holds(id) ? report.add_connected() : report.add_gone()) = id;
  }
  return request;
}

}  // namespace cairn::proxy
