#pragma once

#include <optional>
#include <string>

#include "cli/player/player.h"
#include "cli/terminal/terminal_modes.h"

namespace cairn::cli {

// The player's stage at the process's own terminal: writes to standard output, reads keys from standard input when both
// are terminals. Its destructor and the signals that end the program give the terminal back as it was.
class TerminalStage final : public Stage {
 public:
  enum class Keys { kNone, kRead };
  static Result<TerminalStage> open(Keys keys);

  nanoseconds now() const override;
  std::optional<Key> wait(std::optional<nanoseconds> wait) override;
  Result<void> write(std::string_view bytes) override;

 private:
  explicit TerminalStage(std::optional<TerminalModes> modes) : modes_(std::move(modes)) {}
  std::optional<Key> read_key();

  std::optional<TerminalModes> modes_;  // set when keys are read
};

}  // namespace cairn::cli
