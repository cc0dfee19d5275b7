#include "cli/player/line_tracker.h"

#include <algorithm>

namespace cairn::cli {
namespace {

// Sequences that leave the cursor where it is: style, modes, erasing, cursor shape.
constexpr std::string_view kStandingFinals = "mhlJKqp";

bool names_alternate_screen(std::string_view parameters) {
  if (!parameters.starts_with('?')) return false;
  parameters.remove_prefix(1);
  while (!parameters.empty()) {
    const std::string_view mode = parameters.substr(0, parameters.find(';'));
    if (mode == "47" || mode == "1047" || mode == "1049") return true;
    parameters.remove_prefix(std::min(parameters.size(), mode.size() + 1));
  }
  return false;
}

}  // namespace

void LineTracker::feed(std::string_view filtered) {
  for (const char c : filtered) {
    switch (state_) {
      case State::kText:
        if (c == '\x1b') {
          state_ = State::kEscape;
        } else if (c == '\n') {
          is_at_line_start_ = true;
        } else if (c != '\r' && c != '\a') {  // after CR the line may still hold something: a progress bar
          is_at_line_start_ = false;
        }
        break;
      case State::kEscape:
        if (c == '[') {
          state_ = State::kCsi;
          parameters_.clear();
        } else if (c < ' ' || c > '/') {  // an intermediate is followed by more
          state_ = State::kText;
          is_at_line_start_ = false;
        }
        break;
      case State::kCsi:
        if (c >= '@' && c <= '~') {
          state_ = State::kText;
          end_csi(c);
        } else {
          parameters_ += c;  // the filter lets at most kMaxSequenceBytes through
        }
        break;
    }
  }
}

void LineTracker::end_csi(char final) {
  if (kStandingFinals.find(final) == std::string_view::npos) is_at_line_start_ = false;
  if ((final != 'h' && final != 'l') || !names_alternate_screen(parameters_)) return;
  is_full_screen_ = final == 'h';
  is_at_line_start_ = false;
}

}  // namespace cairn::cli
