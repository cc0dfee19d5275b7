#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recorder/html/event_list.h"
#include "recorder/html/terminal_segments.h"

namespace cairn::recorder {

// One recording as one HTML file, with a player, that needs nothing else: the page of web/ with the recording's data in
// it. All foreign text goes through TerminalFilter or describe(), and lies in the page compressed, as base64.
// Once; one thread at a time.
class HtmlExport {
 public:
  // What a browser can be asked to hold; beyond it there are the other forms of export.
  static constexpr uint64_t kMaxOutputBytes = uint64_t{64} << 20;
  static constexpr size_t kMaxEvents = 200'000;
  static constexpr size_t kMaxEventTextBytes = size_t{64} << 20;

  // Where the page takes the data: what stands before and behind.
  static constexpr std::string_view kDataMark = "<!-- data -->";

  // Without `channel`: as TerminalTrack.
  explicit HtmlExport(std::optional<uint32_t> channel = {}) : terminal_(channel) {}

  //   fails  kTooLarge: it passes one of the limits, which the sentence names
  Result<void> add(const Event& event);
  // The file.
  //   page   with kDataMark in it
  //   about  JSON: what the page says of the recording as a whole
  std::string finish(std::string_view page, std::string_view about);

 private:
  std::string index(const TerminalSegments::Made& made, std::string_view about) const;

  TerminalSegments terminal_;
  EventList events_;
  std::set<uint32_t> subsystems_;  // their channels: what goes through them is a protocol
  bool has_begun_ = false;
  PageClock clock_;
  uint64_t last_ms_ = 0;
  uint64_t hidden_bytes_ = 0;  // output of other channels
};

}  // namespace cairn::recorder
