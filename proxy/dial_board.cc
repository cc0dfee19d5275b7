#include "proxy/dial_board.h"

#include "base/bytes.h"

namespace cairn::proxy {
namespace {
constexpr size_t kDialIdBytes = 16;
}

std::string DialBoard::announce(asio::any_io_executor executor, std::string node_id) {
  std::string dial_id = random_bytes(kDialIdBytes);
  pending_[dial_id] = std::make_shared<Pending>(Pending{std::move(node_id), asio::steady_timer(executor), {}});
  return dial_id;
}

awaitable<Result<DialBoard::Joined>> DialBoard::wait(std::string dial_id, std::chrono::milliseconds lease) {
  const std::shared_ptr<Pending> pending = pending_.at(dial_id);
  if (!pending->outcome) {
    pending->answered.expires_after(lease);
    co_await pending->answered.async_wait(kAwait);
  }
  pending_.erase(dial_id);
  auto& outcome = pending->outcome;
  if (!outcome) co_return fail(Errc::kTimeout, "the node did not dial back in time");
  co_return std::move(*outcome);
}

Result<void> DialBoard::join(std::string_view dial_id, Joined connection) {
  const auto found = pending_.find(dial_id);
  if (found == pending_.end() || found->second->outcome)
    return fail(Errc::kNotFound, "nobody waits for this dial-back: it came late, or its id was used before");
  if (connection->peer().id != found->second->node_id)
    return fail(Errc::kDenied, "this dial-back was asked of another node");
  found->second->outcome = std::move(connection);
  found->second->answered.cancel();
  return {};
}

void DialBoard::refuse(std::string_view dial_id, std::string_view node_id, std::string reason) {
  const auto found = pending_.find(dial_id);
  if (found == pending_.end() || found->second->outcome || found->second->node_id != node_id) return;
  found->second->outcome = fail(Errc::kDenied, std::move(reason));
  found->second->answered.cancel();
}

}  // namespace cairn::proxy
