#include "auth/recordings/growth_watch.h"

namespace cairn::auth {

GrowthWatch::Waiter::Waiter(GrowthWatch* watch, const asio::any_io_executor& executor, const std::string& session_id)
    : watch_(watch), timer_(executor), place_(watch->waiters_.emplace(session_id, this)) {}

GrowthWatch::Waiter::~Waiter() { watch_->waiters_.erase(place_); }

awaitable<void> GrowthWatch::Waiter::wait(Deadline deadline) {
  if (!has_grown_) {
    timer_.expires_at(deadline);
    co_await timer_.async_wait(kAwait);
  }
  has_grown_ = false;
}

void GrowthWatch::grown(const std::string& session_id) {
  const auto [first, last] = waiters_.equal_range(session_id);
  for (auto it = first; it != last; ++it) {
    it->second->has_grown_ = true;
    it->second->timer_.cancel();
  }
}

}  // namespace cairn::auth
