#pragma once

#include <filesystem>
#include <memory>

#include "base/async.h"
#include "base/result.h"
#include "proto/auth.pb.h"
#include "tunnel/connect.h"
#include "tunnel/identity.h"
#include "tunnel/stream.h"

namespace cairn::tunnel {

// One connection to auth, cairn-auth/1: requests in turn, each answered before the next. Not for two coroutines at
// once.
class AuthClient {
 public:
  // Through a proxy or to auth itself.
  static awaitable<Result<std::unique_ptr<AuthClient>>> connect(Address to, std::shared_ptr<const Identity> me,
                                                                Deadline deadline);
  // As root on the auth host: DATA_DIR/auth.sock.
  static awaitable<Result<std::unique_ptr<AuthClient>>> connect_unix(std::filesystem::path socket, Deadline deadline);

  explicit AuthClient(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}

  // The answer. Auth's Error becomes an Error here: DENIED kDenied, NOT_FOUND kNotFound, ALREADY_EXISTS kAlreadyExists,
  // INVALID kInvalid, UNAVAILABLE kUnavailable, INTERNAL kInternal, each with auth's sentence. A lost connection is
  // kUnavailable, a deadline kTimeout; after either the client is spent.
  awaitable<Result<auth::v1::Response>> call(auth::v1::Request request, Deadline deadline);

 private:
  awaitable<Result<auth::v1::Response>> exchange(auth::v1::Request request);

  std::unique_ptr<Connection> connection_;
};

}  // namespace cairn::tunnel
