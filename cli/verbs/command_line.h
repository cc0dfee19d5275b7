#pragma once

#include <optional>

#include "cli/verbs/context.h"

namespace cairn::cli {

// Reads the command line into `command`, whose `run` is then set. Returns the exit code when all is done already: help
// was printed, or a sentence about what is wrong (kExitUsage).
std::optional<int> parse_command_line(int argc, const char* const* argv, Command& command);

}  // namespace cairn::cli
