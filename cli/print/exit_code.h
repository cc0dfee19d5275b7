#pragma once

#include <string_view>

#include "base/result.h"

namespace cairn::cli {

// What the shell sees; docs/cli.md lists the same. 255 never comes from cairn itself: it is ssh's own.
constexpr int kExitOk = 0;
constexpr int kExitError = 1;
constexpr int kExitUsage = 2;        // the command line is wrong
constexpr int kExitIncomplete = 3;   // a recording is cut off, corrupt, or lacks events
constexpr int kExitDenied = 4;       // not logged in, expired, or not allowed
constexpr int kExitNotFound = 5;     // no such node, session, user, …
constexpr int kExitUnavailable = 6;  // auth, the proxy or the node cannot be reached now

int exit_code_of(const Error& error);

// When whoever reads standard output has gone ("cairn … | head"), ends the program quietly as SIGPIPE does.
void end_if_reader_left(const Error& error);

// "cairn: SENTENCE" on standard error, control characters escaped.
void print_error(const Error& error);
// The same for what does not end the program.
void print_warning(std::string_view sentence);

}  // namespace cairn::cli
