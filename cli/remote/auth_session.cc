#include "cli/remote/auth_session.h"

#include <unistd.h>

#include <fmt/format.h>

#include "cli/print/plain_text.h"
#include "cli/remote/run_blocking.h"
#include "tunnel/connect.h"

namespace cairn::cli {
namespace {

constexpr uint16_t kDefaultProxyPort = 3080;

}  // namespace

std::filesystem::path default_auth_socket(const Home& home) {
  std::error_code ignored;
  const bool is_auth_host = std::filesystem::is_socket(kDefaultAuthSocket, ignored);
  return ::geteuid() == 0 && is_auth_host && !home.has_identity() ? kDefaultAuthSocket : "";
}

Result<std::shared_ptr<const tunnel::Identity>> load_valid_identity(const Home& home, const Clock& clock) {
  if (!home.has_identity()) return fail(Errc::kUnauthenticated, kNotLoggedIn);
  Result<tunnel::Identity> identity = tunnel::load_identity(home.root());
  if (!identity) return fail(Errc::kUnauthenticated, identity.error().message + "; run: cairn login");
  const int64_t now_s = clock.wall_s();
  if (identity->not_after_s <= now_s)
    return fail(Errc::kExpired, fmt::format("your certificate expired {} ago; run: cairn login",
                                            format_span(now_s - identity->not_after_s)));
  if (identity->not_before_s > now_s)
    return fail(Errc::kExpired,
                fmt::format("your certificate is valid only from {} on; this host's clock says {}: set it right",
                            format_utc(identity->not_before_s), format_utc(now_s)));
  return std::make_shared<const tunnel::Identity>(std::move(*identity));
}

Result<AuthSession> AuthSession::open(const Home& home, const std::filesystem::path& socket, const Clock& clock,
                                      std::chrono::milliseconds connect_limit) {
  AuthSession session;
  session.loop_ = std::make_unique<asio::io_context>(1);
  const std::filesystem::path path = socket.empty() ? default_auth_socket(home) : socket;
  const Deadline deadline = after(connect_limit);
  Result<std::unique_ptr<tunnel::AuthClient>> client;
  if (!path.empty()) {
    client = run_blocking(*session.loop_, tunnel::AuthClient::connect_unix(path, deadline));
  } else {
    Result<std::shared_ptr<const tunnel::Identity>> identity = load_valid_identity(home, clock);
    if (!identity) return fail(identity);
    const Result<Profile> profile = home.load_profile();
    if (!profile) return fail(profile);
    if (profile->proxy.empty()) return fail(Errc::kUnauthenticated, kNotLoggedIn);
    const Result<tunnel::Address> proxy = tunnel::parse_address(profile->proxy, kDefaultProxyPort);
    if (!proxy) return fail(proxy, home.profile_file().string());
    client = run_blocking(*session.loop_, tunnel::AuthClient::connect(*proxy, *identity, deadline));
  }
  if (!client) return fail(client);
  session.client_ = std::move(*client);
  return session;
}

Result<auth::v1::Response> AuthSession::call(auth::v1::Request request, auth::v1::Response::KindCase expected,
                                             std::chrono::milliseconds limit) {
  Result<auth::v1::Response> response = run_blocking(*loop_, client_->call(std::move(request), after(limit)));
  if (!response) return fail(response);
  if (response->kind_case() != expected)
    return fail(Errc::kInternal, fmt::format("auth answered with a message of kind {} where {} was due; are cairn and "
                                             "cairn-auth of the same version?",
                                             static_cast<int>(response->kind_case()), static_cast<int>(expected)));
  return response;
}

}  // namespace cairn::cli
