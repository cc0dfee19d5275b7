#pragma once

#include <chrono>
#include <filesystem>
#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "cli/home/home.h"
#include "proto/auth.pb.h"
#include "tunnel/auth_client.h"
#include "tunnel/identity.h"

namespace cairn::cli {

constexpr const char* kDefaultAuthSocket = "/var/lib/cairn-auth/auth.sock";

// The socket to use when none was named: auth's own, for root on the auth host who is not logged in; empty otherwise.
std::filesystem::path default_auth_socket(const Home& home);

// The person's TLS identity, still valid.
//   fails  kUnauthenticated: nobody is logged in here; kExpired: says since when. Both say how to log in.
Result<std::shared_ptr<const tunnel::Identity>> load_valid_identity(const Home& home, const Clock& clock);

// A conversation with auth, as plain blocking calls: through the unix socket where one is named or is the default,
// otherwise through the proxy as the person who is logged in.
class AuthSession {
 public:
  static constexpr std::chrono::seconds kConnectLimit{10};
  static constexpr std::chrono::seconds kCallLimit{30};

  // `socket` empty: decided as above.
  static Result<AuthSession> open(const Home& home, const std::filesystem::path& socket, const Clock& clock,
                                  std::chrono::milliseconds connect_limit = kConnectLimit);

  // One request, one response of the kind that is expected. Errors carry auth's sentence.
  Result<auth::v1::Response> call(auth::v1::Request request, auth::v1::Response::KindCase expected,
                                  std::chrono::milliseconds limit = kCallLimit);

 private:
  AuthSession() = default;

  std::unique_ptr<asio::io_context> loop_;  // before what lives on it
  std::unique_ptr<tunnel::AuthClient> client_;
};

}  // namespace cairn::cli
