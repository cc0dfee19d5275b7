#pragma once

#include <functional>
#include <memory>

#include "agent/upload/auth_caller.h"
#include "agent/upload/proxy_choice.h"
#include "tunnel/auth_client.h"
#include "tunnel/identity.h"

namespace cairn::agent {

// Auth, through one of the proxies. Connects with the first call, and again after a connection was lost or the node's
// identity was renewed. Keeps no timer: how long to wait between two attempts is the caller's matter. Thread: its
// caller's executor.
class AuthLink final : public AuthCaller {
 public:
  using WhoAmI = std::function<std::shared_ptr<const tunnel::Identity>()>;

  // `proxies` outlives it.
  AuthLink(ProxyChoice* proxies, WhoAmI who_am_i) : proxies_(proxies), who_am_i_(std::move(who_am_i)) {}

  awaitable<Result<auth::v1::Response>> call(auth::v1::Request request, std::chrono::milliseconds limit) override;
  bool is_connected() const override { return client_ != nullptr; }

 private:
  awaitable<Result<void>> connect(Deadline deadline);

  ProxyChoice* proxies_;
  WhoAmI who_am_i_;
  std::shared_ptr<const tunnel::Identity> connected_as_;
  std::unique_ptr<tunnel::AuthClient> client_;
};

}  // namespace cairn::agent
