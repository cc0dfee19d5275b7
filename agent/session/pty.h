#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace cairn::agent {

// Columns and rows of a terminal; 0 = unknown.
struct TerminalSize {
  uint32_t columns = 0;
  uint32_t rows = 0;
};

// A pseudo-terminal: the worker keeps the master, the login process gets the slave.
struct Pty {
  UniqueFd master;  // does not block
  UniqueFd slave;
  std::string name;  // "/dev/pts/7"

  // With the kernel's usual modes and UTF-8 input; libssh 0.10 does not hand over the client's own modes.
  static Result<Pty> open(TerminalSize size);
};

// Sizes beyond 65535 are cut to it.
Result<void> set_terminal_size(int master, TerminalSize size);

// Whether what is typed now is read line by line and not shown: so programs read passwords (ECHO off, ICANON on). Who
// draws it himself (readline, vim) has both off. The master shows the slave's modes (tty_ioctl(4)).
bool is_read_unseen(int master);

}  // namespace cairn::agent
