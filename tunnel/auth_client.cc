#include "tunnel/auth_client.h"

#include <fmt/format.h>

namespace cairn::tunnel {
namespace {

Errc errc_of(auth::v1::ErrorCode code) {
  switch (code) {
    case auth::v1::ERROR_CODE_INVALID: return Errc::kInvalid;
    case auth::v1::ERROR_CODE_NOT_FOUND: return Errc::kNotFound;
    case auth::v1::ERROR_CODE_ALREADY_EXISTS: return Errc::kAlreadyExists;
    case auth::v1::ERROR_CODE_DENIED: return Errc::kDenied;
    case auth::v1::ERROR_CODE_UNAVAILABLE: return Errc::kUnavailable;
    default: return Errc::kInternal;
  }
}

awaitable<Result<std::unique_ptr<AuthClient>>> connect_socket(std::filesystem::path path) {
  UnixSocket socket(co_await asio::this_coro::executor);
  auto [error] = co_await socket.async_connect(asio::local::stream_protocol::endpoint(path.string()), kAwait);
  if (error)
    co_return fail(Errc::kUnavailable, fmt::format("connect to auth at {}: {}; is cairn-auth running on this host?",
                                                   path.string(), error.message()));
  auto connection = std::make_unique<Connection>(std::move(socket));
  co_return std::make_unique<AuthClient>(std::move(connection));
}

}  // namespace

awaitable<Result<std::unique_ptr<AuthClient>>> AuthClient::connect(Address to, std::shared_ptr<const Identity> me,
                                                                   Deadline deadline) {
  auto work = tunnel::connect(std::move(to), std::move(me), Alpn::kAuth, Role::kAuth, deadline);
  Result<std::unique_ptr<Connection>> connection = co_await std::move(work);
  if (!connection) co_return fail(connection, "auth");
  co_return std::make_unique<AuthClient>(std::move(*connection));
}

awaitable<Result<std::unique_ptr<AuthClient>>> AuthClient::connect_unix(std::filesystem::path socket,
                                                                        Deadline deadline) {
  auto work = connect_socket(std::move(socket));
  Result<std::unique_ptr<AuthClient>> client = co_await within(deadline, std::move(work));
  co_return client;
}

awaitable<Result<auth::v1::Response>> AuthClient::exchange(auth::v1::Request request) {
  Result<void> written = co_await connection_->write(request);
  if (!written && written.error().code != Errc::kUnauthenticated)
    co_return fail(Errc::kUnavailable, fmt::format("auth: {}", written.error().message));
  if (!written) co_return fail(written, "auth");
  auto reading = connection_->read<auth::v1::Response>(kMaxAuthFrameBytes);
  Result<std::optional<auth::v1::Response>> read = co_await std::move(reading);
  if (!read) co_return fail(read, "auth");
  std::optional<auth::v1::Response>& response = *read;
  if (!response) co_return fail(Errc::kUnavailable, "auth closed the connection");
  if (response->has_error()) co_return fail(errc_of(response->error().code()), response->error().message());
  co_return std::move(*response);
}

awaitable<Result<auth::v1::Response>> AuthClient::call(auth::v1::Request request, Deadline deadline) {
  auto work = exchange(std::move(request));
  Result<auth::v1::Response> response = co_await within(deadline, std::move(work));
  if (!response && response.error().code == Errc::kTimeout) co_return fail(response, "auth");
  co_return response;
}

}  // namespace cairn::tunnel
