#pragma once

#include <string>
#include <vector>

#include "cli/verbs/context.h"
#include "proto/auth.pb.h"

namespace cairn::cli {

struct SessionQuery {
  std::string user;
  std::string node;
  uint32_t limit = 50;
  bool is_all = false;
  auth::v1::ListSessionsRequest::State state = auth::v1::ListSessionsRequest::STATE_UNSPECIFIED;
};

// The options that choose among sessions.
void add_session_options(CLI::App* verb, SessionQuery& query);

// Newest first, over as many pages as it takes; says on standard error when there are more.
Result<std::vector<auth::v1::Session>> list_sessions(const Context& context, const SessionQuery& query);

}  // namespace cairn::cli
