#pragma once

namespace cairn::agent {

// cairn-agent without a sub-command: the supervisor, from the command line to the exit status.
//   returns  0 after SIGTERM, SIGINT, --help or --version; 1 with a sentence on stderr; 2 for a wrong option
int run_agent(int argc, const char* const* argv);

}  // namespace cairn::agent
