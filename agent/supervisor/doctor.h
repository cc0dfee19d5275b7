#pragma once

namespace cairn::agent {

// `cairn-agent doctor`: prints what this host can capture, what it cannot and what to change. Loads the programs beside
// a running agent's, in a folder of their own, tries each class of events for real, and takes everything away again.
// Returns the exit status: 0 when every class is seen, 1 when one is not, 6 when the host can capture nothing.
int run_doctor(int argc, const char* const* argv);

}  // namespace cairn::agent
