#include "agent/session/pty.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>

#include <fmt/format.h>

namespace cairn::agent {
namespace {

uint16_t cut(uint32_t cells) {
  return static_cast<uint16_t>(std::min<uint32_t>(cells, std::numeric_limits<uint16_t>::max()));
}

}  // namespace

Result<void> set_terminal_size(int master, TerminalSize size) {
  struct winsize window{};
  window.ws_col = cut(size.columns);
  window.ws_row = cut(size.rows);
  if (::ioctl(master, TIOCSWINSZ, &window) != 0) return fail_errno("set the terminal's size");
  return {};
}

Result<Pty> Pty::open(TerminalSize size) {
  Pty pty;
  pty.master.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (!pty.master) return fail_errno("open a pseudo-terminal");
  std::array<char, 64> name{};
  if (::grantpt(pty.master.get()) != 0 || ::unlockpt(pty.master.get()) != 0 ||
      ::ptsname_r(pty.master.get(), name.data(), name.size()) != 0) {
    return fail_errno("prepare a pseudo-terminal");
  }
  pty.name = name.data();
  pty.slave.reset(::open(pty.name.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!pty.slave) return fail_errno(fmt::format("open {}", pty.name));
  struct termios modes{};
  if (::tcgetattr(pty.slave.get(), &modes) == 0) {
    modes.c_iflag |= IUTF8;  // so that erasing a character erases all of its bytes
    ::tcsetattr(pty.slave.get(), TCSANOW, &modes);
  }
  if (Result<void> sized = set_terminal_size(pty.master.get(), size); !sized) return fail(sized);
  return pty;
}

bool is_read_unseen(int master) {
  termios modes{};
  // Unknown is unseen: a password must not be kept by accident.
  if (::tcgetattr(master, &modes) != 0) return true;
  return (modes.c_lflag & ICANON) != 0 && (modes.c_lflag & ECHO) == 0;
}

}  // namespace cairn::agent
