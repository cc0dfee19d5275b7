#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/player/line_tracker.h"
#include "proto/recording.pb.h"
#include "recorder/terminal_filter.h"

namespace cairn::cli {

enum class EventsMode {
  kNone,    // what was on the terminal, alone
  kInline,  // with the events between its lines
  kOnly,    // the events alone, with their time since the beginning
};

// Merges a recording's terminal output and its events into one stream of bytes for a terminal or a pipe. Lines about
// events stand between the terminal's lines: while the output stands in the middle of a line, or a full-screen program
// has the screen, they are held back (at most kMaxHeldLines; more are counted).
// Terminal bytes pass recorder/terminal_filter.h: what a recorded program wrote cannot reconfigure or query the
// watcher's terminal. The bytes of subsystems (sftp) are protocol, not text: they are counted.
class Transcript {
 public:
  static constexpr size_t kMaxHeldLines = 5000;

  // `is_terminal`: event lines are dim and end in CR LF; for a pipe they are plain and end in LF.
  Transcript(EventsMode mode, bool is_terminal) : mode_(mode), is_terminal_(is_terminal) {}

  // Whether the event puts anything on the screen.
  bool shows(const recording::v1::Event& event) const;
  // The bytes that this event puts on the screen now. Every event must go through show() or pass().
  std::string show(const recording::v1::Event& event);
  // An event that is not shown.
  void pass(const recording::v1::Event& event) { note(event); }

  // Lines wait, and only the end of the terminal's line would release them.
  bool is_holding_lines() const { return !held_lines_.empty() && !lines_.is_full_screen(); }
  // Ends the half line and releases what waits for it.
  std::string break_line();
  // At the end of the playback: brings the terminal back and releases everything.
  std::string finish();
  // Before playing anew: forgets all state, returns what clears the screen.
  std::string reset();

 private:
  void note(const recording::v1::Event& event);
  std::string show_output(const recording::v1::TerminalOutput& output);
  std::string show_line(const recording::v1::Event& event);
  std::string take_held_lines();
  std::string line_end() const { return is_terminal_ ? "\r\n" : "\n"; }

  EventsMode mode_;
  bool is_terminal_;
  bool has_begun_ = false;
  uint64_t begin_boot_ns_ = 0;
  LineTracker lines_;
  std::vector<std::string> held_lines_;
  uint64_t held_beyond_limit_ = 0;
  std::map<uint32_t, uint64_t> subsystem_bytes_;                          // by channel
  std::map<std::pair<uint32_t, int>, recorder::TerminalFilter> filters_;  // by channel and stream
};

}  // namespace cairn::cli
