#pragma once

#include "base/result.h"

namespace cairn::cli {

// Holds a terminal in other modes and gives it its own back: at destruction, when SIGINT, SIGTERM, SIGHUP or SIGQUIT
// ends the program, and while SIGTSTP has it stopped. One at a time in the process.
class TerminalModes {
 public:
  enum class Kind {
    kNoEcho,  // lines, unseen: for a password
    kKeys,    // single keys, unseen; signals and output processing stay: for the player
  };
  // Borrows `fd`, which must be a terminal and outlive the object. `farewell` (static storage) is written to standard
  // output before the modes go back, on signals too: escape sequences that undo what was shown.
  static Result<TerminalModes> take(int fd, Kind kind, const char* farewell = "");

  TerminalModes(TerminalModes&& other) noexcept;
  TerminalModes& operator=(TerminalModes&&) = delete;
  ~TerminalModes();

 private:
  TerminalModes() = default;
  bool is_holding_ = true;
};

}  // namespace cairn::cli
