#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "recorder/chunk.h"
#include "recorder/derive/command_track.h"
#include "recorder/html/page_clock.h"

namespace cairn::recorder {

// What a page lists beside the terminal.
enum class ListedKind : char {
  kCommand = 'c',  // what somebody typed, or a channel was opened for: CommandTrack
  kProgram = 'p',
  kFileWritten = 'w',  // opened for writing, made, changed, removed
  kFileRead = 'r',     // and libraries that were mapped
  kNetwork = 'n',
  kEnd = 'x',      // a process has ended; what an executable held
  kSession = 's',  // begin, end, channels, sizes, who joined, clocks
  kInput = 'i',
  kGap = 'g',
  kTamper = 't',
};

struct ListedEvent {
  uint64_t at_ms = 0;
  ListedKind kind = ListedKind::kSession;
  std::string text;    // what happened: a command line, a file, an address
  std::string detail;  // who did it, of what the kernel saw
};

// The events of a recording but its output, as lines of printable ASCII. One thread at a time.
class EventList {
 public:
  static constexpr size_t kMaxLineBytes = 1024;

  void begin(PageClock clock) { clock_ = clock; }
  void add(const Event& event);
  size_t size() const { return events_.size(); }
  size_t text_bytes() const { return text_bytes_; }
  // In the order of the recording, in which some came late.
  const std::vector<ListedEvent>& events() const { return events_; }

 private:
  PageClock clock_;
  CommandTrack commands_;
  std::vector<ListedEvent> events_;
  size_t text_bytes_ = 0;
};

}  // namespace cairn::recorder
