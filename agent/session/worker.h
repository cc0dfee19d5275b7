#pragma once

namespace cairn::agent {

// `cairn-agent worker`: serves one SSH connection. Started by the supervisor with a frame of WorkerStart on descriptor
// 3 (proto/agent.proto); dials back through the proxy, serves the client, stays until the session's last process has
// ended, seals the recording. Needs no supervisor from then on. Ends at SIGTERM: the session is hung up and sealed.
// Returns the exit status: 0, also when the client was refused; 1 when there was nobody to serve or the recording could
// not be completed.
int run_worker();

}  // namespace cairn::agent
