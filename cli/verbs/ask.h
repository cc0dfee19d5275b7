#pragma once

#include <string>

#include "cli/remote/auth_session.h"
#include "cli/verbs/context.h"

namespace cairn::cli {

// Opens the conversation with auth that this command line asks for.
inline Result<AuthSession> open_auth(const Context& context,
                                     std::chrono::milliseconds connect_limit = AuthSession::kConnectLimit) {
  const Result<Home> home = context.home();
  if (!home) return fail(home);
  return AuthSession::open(*home, context.auth_socket, context.clock, connect_limit);
}

// One question on a conversation of its own.
inline Result<auth::v1::Response> ask(const Context& context, auth::v1::Request request,
                                      auth::v1::Response::KindCase expected) {
  Result<AuthSession> session = open_auth(context);
  if (!session) return fail(session);
  return session->call(std::move(request), expected);
}

// The same for what is answered by Done; prints `sentence`, or {} with --format=json.
Result<int> ask_for_done(const Context& context, auth::v1::Request request, const std::string& sentence);

}  // namespace cairn::cli
