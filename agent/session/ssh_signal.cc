#include "agent/session/ssh_signal.h"

#include <array>
#include <csignal>

namespace cairn::agent {
namespace {

struct NamedSignal {
  std::string_view name;
  int number;
};
constexpr std::array kSignals = {
    NamedSignal{"ABRT", SIGABRT}, NamedSignal{"ALRM", SIGALRM}, NamedSignal{"FPE", SIGFPE},
    NamedSignal{"HUP", SIGHUP},   NamedSignal{"ILL", SIGILL},   NamedSignal{"INT", SIGINT},
    NamedSignal{"KILL", SIGKILL}, NamedSignal{"PIPE", SIGPIPE}, NamedSignal{"QUIT", SIGQUIT},
    NamedSignal{"SEGV", SIGSEGV}, NamedSignal{"TERM", SIGTERM}, NamedSignal{"USR1", SIGUSR1},
    NamedSignal{"USR2", SIGUSR2}, NamedSignal{"BUS", SIGBUS},   NamedSignal{"CONT", SIGCONT},
    NamedSignal{"STOP", SIGSTOP}, NamedSignal{"TSTP", SIGTSTP}, NamedSignal{"WINCH", SIGWINCH},
    NamedSignal{"XCPU", SIGXCPU}, NamedSignal{"XFSZ", SIGXFSZ}, NamedSignal{"SYS", SIGSYS},
    NamedSignal{"TRAP", SIGTRAP},
};

}  // namespace

int signal_number(std::string_view name) {
  for (const NamedSignal& signal : kSignals) {
    if (signal.name == name) return signal.number;
  }
  return 0;
}

std::string_view signal_name(int number) {
  for (const NamedSignal& signal : kSignals) {
    if (signal.number == number) return signal.name;
  }
  return {};
}

}  // namespace cairn::agent
