#pragma once

namespace cairn::auth {

// cairn-auth, from the command line to the exit status.
//   returns  0 after SIGTERM, SIGINT, --help or --version; 1 with a sentence on stderr; 2 for a wrong option
int run_auth(int argc, const char* const* argv);

}  // namespace cairn::auth
