#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recorder/html/event_list.h"
#include "recorder/html/page_parts.h"
#include "recorder/html/terminal_segments.h"

namespace cairn::recorder {

// What the page of web/ needs of one recording, which assemble_page() makes one HTML file of. All foreign text goes
// through TerminalFilter or describe(). Eats hostile bytes: run it in a PageProcess. Once; one thread at a time.
class HtmlExport {
 public:
  // What a browser can be asked to hold; beyond it there are the other forms of export.
  static constexpr uint64_t kMaxOutputBytes = uint64_t{64} << 20;
  static constexpr size_t kMaxEvents = 200'000;
  static constexpr size_t kMaxEventTextBytes = size_t{64} << 20;

  // Without `channel`: as TerminalTrack.
  explicit HtmlExport(std::optional<uint32_t> channel = {}) : terminal_(channel) {}

  //   fails  kTooLarge: it passes one of the limits, which the sentence names
  Result<void> add(const Event& event);
  PageParts finish();

 private:
  std::string index(const TerminalSegments::Made& made) const;

  TerminalSegments terminal_;
  EventList events_;
  std::set<uint32_t> subsystems_;  // their channels: what goes through them is a protocol
  bool has_begun_ = false;
  PageClock clock_;
  uint64_t last_ms_ = 0;
  uint64_t hidden_bytes_ = 0;  // output of other channels
};

}  // namespace cairn::recorder
