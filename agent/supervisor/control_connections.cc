#include "agent/supervisor/control_connections.h"

#include <iterator>
#include <set>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>

namespace cairn::agent {

ControlConnections::ControlConnections(const asio::any_io_executor& executor, Calls calls, ControlTimes times, Log log)
    : executor_(executor), calls_(std::move(calls)), times_(times), log_(std::move(log)) {}

ControlConnections::~ControlConnections() { close(); }

void ControlConnections::set(const std::vector<tunnel::Address>& proxies) {
  std::set<std::string> wanted;
  for (const tunnel::Address& proxy : proxies) wanted.insert(tunnel::address_text(proxy));
  for (auto held = held_.begin(); held != held_.end();) {
    const std::shared_ptr<Held> unwanted = wanted.contains(held->first) ? nullptr : held->second;
    held = unwanted ? held_.erase(held) : std::next(held);
    if (!unwanted) continue;
    unwanted->is_cancelled = true;
    unwanted->cancel.emit(asio::cancellation_type::all);
  }
  for (const tunnel::Address& proxy : proxies)
    if (!held_.contains(tunnel::address_text(proxy))) start(proxy);
}

void ControlConnections::start(const tunnel::Address& proxy) {
  const auto held = std::make_shared<Held>();
  held->connection = std::make_unique<ControlConnection>(
      proxy, calls_.who_am_i,
      [on_dial = calls_.on_dial, proxy](tunnel::v1::Dial dial) { return on_dial(std::move(dial), proxy); },
      [on_up = calls_.on_up, proxy] { on_up(proxy); }, times_, log_);
  held_[tunnel::address_text(proxy)] = held;
  // `held` lives until its coroutine has ended, which a cancelled one does by an exception (end_if_cancelled).
  const auto ended = [held](std::exception_ptr escaped) {
    if (!held->is_cancelled) or_die()(escaped);
  };
  asio::co_spawn(executor_, held->connection->run(), asio::bind_cancellation_slot(held->cancel.slot(), ended));
}

std::vector<ControlConnections::State> ControlConnections::states() const {
  std::vector<State> states;
  for (const auto& [proxy, held] : held_)
    states.push_back({.proxy = proxy, .is_up = held->connection->is_up(), .error = held->connection->last_error()});
  return states;
}

}  // namespace cairn::agent
