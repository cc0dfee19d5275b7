// cairn-agent: three programs in one binary, so that they are always of one version. The supervisor starts workers, one
// per SSH connection; a worker starts login processes, one per channel.
#include <cstring>

#include "agent/session/login.h"
#include "agent/session/worker.h"
#include "agent/supervisor/agent_program.h"
#include "agent/supervisor/doctor.h"
#include "agent/supervisor/status_socket.h"

int main(int argc, char** argv) {
  const char* part = argc > 1 ? argv[1] : "";
  if (std::strcmp(part, "worker") == 0) return cairn::agent::run_worker();
  if (std::strcmp(part, "login") == 0) return cairn::agent::run_login();
  if (std::strcmp(part, "doctor") == 0) return cairn::agent::run_doctor(argc, argv);
  if (std::strcmp(part, "status") == 0) return cairn::agent::run_status(argc, argv);
  if (std::strcmp(part, "canary") == 0) return 0;  // what the capture's canary executes
  return cairn::agent::run_agent(argc, argv);
}
