#pragma once

namespace cairn::agent {

// `cairn-agent login`: becomes the person of one channel. Started by a worker with the control socket as descriptor 3
// (messages: proto/agent.proto) and the channel's PTY or pipes as 0, 1 and 2. Waits until the worker has put the
// session's tag on it, then passes PAM (service "cairn"), starts the person's shell or command as them, waits for its
// end, and closes the PAM session. Why a process of its own: docs/decisions/login-process.md.
// Returns the exit status of the process, which nobody reads: what counts is told on the control socket.
int run_login();

}  // namespace cairn::agent
