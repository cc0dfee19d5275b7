#include "cli/terminal/terminal_modes.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

namespace cairn::cli {
namespace {

constexpr std::array kEndingSignals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};

// What the signal handlers need. Written before `is_active` is set; only async-signal-safe calls touch it then
// (signal-safety(7): tcsetattr, write, sigaction, raise).
struct Held {
  std::atomic<bool> is_active = false;
  int fd = -1;
  termios before{};
  termios during{};
  const char* farewell = "";
};
Held held;

void give_back() {
  [[maybe_unused]] const ssize_t written = ::write(STDOUT_FILENO, held.farewell, std::strlen(held.farewell));
  ::tcsetattr(held.fd, TCSANOW, &held.before);
}

void set_handler(int number, void (*handler)(int), int flags) {
  struct sigaction action{};
  action.sa_handler = handler;
  action.sa_flags = flags;
  ::sigaction(number, &action, nullptr);
}

void on_end(int number) {
  if (held.is_active) give_back();
  set_handler(number, SIG_DFL, 0);
  ::raise(number);  // delivered when the handler returns: the shell sees which signal it was
}

void on_stop(int) {
  const int errno_before = errno;
  if (held.is_active) ::tcsetattr(held.fd, TCSANOW, &held.before);
  ::raise(SIGSTOP);
  if (held.is_active) ::tcsetattr(held.fd, TCSANOW, &held.during);
  errno = errno_before;
}

}  // namespace

Result<TerminalModes> TerminalModes::take(int fd, Kind kind, const char* farewell) {
  if (::tcgetattr(fd, &held.before) != 0) return fail_errno("terminal: read its modes");
  held.fd = fd;
  held.farewell = farewell;
  held.during = held.before;
  held.during.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  if (kind == Kind::kKeys) {
    held.during.c_lflag &= ~static_cast<tcflag_t>(ICANON);
    held.during.c_cc[VMIN] = 1;
    held.during.c_cc[VTIME] = 0;
  }
  held.is_active = true;
  for (const int number : kEndingSignals) set_handler(number, on_end, 0);
  set_handler(SIGTSTP, on_stop, SA_RESTART);
  if (::tcsetattr(fd, TCSANOW, &held.during) != 0) {
    held.is_active = false;
    return fail_errno("terminal: set its modes");
  }
  return TerminalModes();
}

TerminalModes::TerminalModes(TerminalModes&& other) noexcept : is_holding_(std::exchange(other.is_holding_, false)) {}

TerminalModes::~TerminalModes() {
  if (!is_holding_) return;
  give_back();
  held.is_active = false;
  for (const int number : kEndingSignals) set_handler(number, SIG_DFL, 0);
  set_handler(SIGTSTP, SIG_DFL, 0);
}

}  // namespace cairn::cli
