#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "recorder/chunk.h"
#include "recorder/screen/screen.h"
#include "recorder/terminal_filter.h"

namespace cairn::recorder {

// What one channel's terminal showed, as the events of a recording go by: sizes, output, and all state between two
// events, so that it can be saved at any of them. One thread at a time.
class TerminalTrack {
 public:
  // Without `channel`: the first that has a terminal, or else output.
  explicit TerminalTrack(std::optional<uint32_t> channel = {}) : channel_(channel), screen_(0, 0) {}

  // Returns what the event has put onto the screen, harmless to any terminal; empty when it is of another channel.
  std::string feed(const Event& event);

  const Screen& screen() const { return screen_; }
  Screen& screen() { return screen_; }
  std::optional<uint32_t> channel() const { return channel_; }

  std::string save() const;
  //   fails  kCorrupt: the bytes are none that save() gives
  static Result<TerminalTrack> restore(std::string_view saved);

 private:
  std::string show(const recording::v1::TerminalOutput& output);

  std::optional<uint32_t> channel_;
  bool has_terminal_ = false;
  TerminalFilter output_;
  TerminalFilter errors_;
  Screen screen_;
};

}  // namespace cairn::recorder
