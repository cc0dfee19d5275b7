#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/async.h"
#include "base/result.h"
#include "tunnel/stream.h"

namespace cairn::proxy {

// Clients that wait for a node to dial back. A dial id is single use and belongs to one node. One thread.
class DialBoard {
 public:
  using Joined = std::unique_ptr<tunnel::Connection>;

  // A new dial id for `node_id`; follow it with wait().
  std::string announce(asio::any_io_executor executor, std::string node_id);
  // The dial-back. Fails with kTimeout after `lease`, kDenied with the agent's reason. The id is spent either way.
  awaitable<Result<Joined>> wait(std::string dial_id, std::chrono::milliseconds lease);
  // Hands a dial-back to who waits for it. Fails with kNotFound when nobody does (late, used, invented), kDenied from
  // another node.
  Result<void> join(std::string_view dial_id, Joined connection);
  size_t size() const { return pending_.size(); }  // clients that wait
  void refuse(std::string_view dial_id, std::string_view node_id, std::string reason);

 private:
  struct Pending {
    std::string node_id;
    asio::steady_timer answered;
    std::optional<Result<Joined>> outcome;
  };
  std::map<std::string, std::shared_ptr<Pending>, std::less<>> pending_;  // shared: the waiter outlives its entry
};

}  // namespace cairn::proxy
