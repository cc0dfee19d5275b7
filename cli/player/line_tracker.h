#pragma once

#include <string>
#include <string_view>

namespace cairn::cli {

// Where filtered terminal output (recorder/terminal_filter.h: whole sequences only) has left the terminal, as far as it
// matters for printing a line of our own.
class LineTracker {
 public:
  void feed(std::string_view filtered);

  // The last line holds nothing: a line may be printed here.
  bool is_at_line_start() const { return is_at_line_start_; }
  // A program has the alternate screen.
  bool is_full_screen() const { return is_full_screen_; }

 private:
  enum class State { kText, kEscape, kCsi };
  void end_csi(char final);

  State state_ = State::kText;
  std::string parameters_;  // of the CSI sequence under way
  bool is_at_line_start_ = true;
  bool is_full_screen_ = false;
};

}  // namespace cairn::cli
