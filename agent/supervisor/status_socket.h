#pragma once

#include <filesystem>
#include <functional>

#include "base/async.h"
#include "base/result.h"
#include "proto/agent.pb.h"

namespace cairn::agent {

// Where a running agent says how it is: a unix socket that only root may open. Whoever connects gets one frame, an
// AgentStatus, and the end.
constexpr const char* kStatusSocket = "status.sock";  // in the data directory

// Answers until cancelled.
//   fails  an errno: the socket cannot be made
awaitable<Result<void>> serve_status(std::filesystem::path path, std::function<awaitable<v1::AgentStatus>()> describe);

// What the agent with this data directory says.
//   fails  kUnavailable: none runs there
awaitable<Result<v1::AgentStatus>> ask_status(std::filesystem::path path);

// `cairn-agent status [--json]`: prints it. Returns the exit status: 0 when auth hears the agent and every proxy is
// connected, 1 when not, 2 for a wrong option, 3 when no agent runs.
int run_status(int argc, const char* const* argv);

}  // namespace cairn::agent
