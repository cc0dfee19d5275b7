#include "agent/upload/auth_link.h"

#include <algorithm>
#include <utility>

namespace cairn::agent {
namespace {

constexpr std::chrono::milliseconds kConnectLimit{10'000};

// Auth has answered with a refusal: the connection is in step and stands. kUnavailable may be auth's answer as well as
// a lost connection; a new one does no harm.
bool is_refusal(const Error& error) {
  return error.code == Errc::kInvalid || error.code == Errc::kNotFound || error.code == Errc::kAlreadyExists ||
         error.code == Errc::kDenied || error.code == Errc::kInternal;
}

}  // namespace

awaitable<Result<auth::v1::Response>> AuthLink::call(auth::v1::Request request, std::chrono::milliseconds limit) {
  const Deadline deadline = after(limit);
  if (client_ && connected_as_ != who_am_i_()) client_.reset();
  if (!client_) {
    const Result<void> connected = co_await connect(std::min(deadline, after(kConnectLimit)));
    if (!connected) co_return fail(connected);
  }
  Result<auth::v1::Response> response = co_await client_->call(std::move(request), deadline);
  if (!response && !is_refusal(response.error())) client_.reset();
  if (!response && response.error().code == Errc::kTimeout) proxies_->pass_over(proxies_->current());
  co_return response;
}

awaitable<Result<void>> AuthLink::connect(Deadline deadline) {
  std::shared_ptr<const tunnel::Identity> me = who_am_i_();
  const tunnel::Address proxy = proxies_->current();
  Result<std::unique_ptr<tunnel::AuthClient>> client = co_await tunnel::AuthClient::connect(proxy, me, deadline);
  co_await end_if_cancelled();
  if (!client) proxies_->pass_over(proxy);  // the next attempt goes by another
  if (!client) co_return fail(client, "connect to auth");
  client_ = std::move(*client);
  connected_as_ = std::move(me);
  co_return Result<void>();
}

}  // namespace cairn::agent
