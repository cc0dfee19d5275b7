#include "cli/print/exit_code.h"

#include <signal.h>

#include <cstdio>
#include <string>

#include "cli/print/json.h"
#include "cli/print/plain_text.h"

namespace cairn::cli {
namespace {

bool is_network_condition(const std::error_code& code) {
  for (const std::errc condition :
       {std::errc::connection_refused, std::errc::connection_reset, std::errc::connection_aborted,
        std::errc::host_unreachable, std::errc::network_unreachable, std::errc::network_down, std::errc::timed_out,
        std::errc::broken_pipe}) {
    if (code == condition) return true;
  }
  return std::string_view(code.category().name()).starts_with("asio.netdb");
}

}  // namespace

int exit_code_of(const Error& error) {
  if (error.code.category() != errc_category()) return is_network_condition(error.code) ? kExitUnavailable : kExitError;
  switch (static_cast<Errc>(error.code.value())) {
    case Errc::kInvalid: return kExitUsage;
    case Errc::kCorrupt:
    case Errc::kTruncated: return kExitIncomplete;
    case Errc::kNotFound: return kExitNotFound;
    case Errc::kDenied:
    case Errc::kUnauthenticated:
    case Errc::kExpired: return kExitDenied;
    case Errc::kUnavailable:
    case Errc::kTimeout:
    case Errc::kClosed: return kExitUnavailable;
    default: return kExitError;
  }
}

void end_if_reader_left(const Error& error) {
  // Broken connections have the same code, but not this beginning (print_text).
  if (error.code != std::errc::broken_pipe || !error.message.starts_with(kStandardOutput)) return;
  ::signal(SIGPIPE, SIG_DFL);
  ::raise(SIGPIPE);
}

void print_error(const Error& error) { print_warning(error.message); }

void print_warning(std::string_view sentence) { std::fprintf(stderr, "cairn: %s\n", printable(sentence).c_str()); }

}  // namespace cairn::cli
