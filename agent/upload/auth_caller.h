#pragma once

#include <chrono>

#include "base/async.h"
#include "base/result.h"
#include "proto/auth.pb.h"

namespace cairn::agent {

// Whom the uploader speaks to: auth, over a connection that is made anew when it is lost. One call at a time.
class AuthCaller {
 public:
  virtual ~AuthCaller() = default;

  // Auth's answer.
  //   fails  auth's own refusal with its sentence; the connection stands. Or auth cannot serve now, or the connection
  //          could not be made or broke: is_connected() is false then, the next call makes a new one, and whether auth
  //          has acted on the request is unknown.
  virtual awaitable<Result<auth::v1::Response>> call(auth::v1::Request request, std::chrono::milliseconds limit) = 0;

  virtual bool is_connected() const = 0;
};

}  // namespace cairn::agent
