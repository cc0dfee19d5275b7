#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "recorder/derive/visible_lines.h"
#include "recorder/html/page_clock.h"
#include "recorder/screen/terminal_track.h"

namespace cairn::recorder {

// What was on the terminal as a page plays it: cut into segments, each of which begins with the whole state of the
// terminal, so that a jump costs one segment, wherever it goes. Everything has gone through TerminalFilter. One thread
// at a time.
class TerminalSegments {
 public:
  static constexpr size_t kSegmentBytes = size_t{256} << 10;

  struct Segment {
    uint64_t at_ms = 0;
    uint32_t columns = 0;
    uint32_t rows = 0;
    std::string json;  // packed(): {"state": text, "at": [ms since the output before …], "text": [output …]}
  };
  struct Output {
    uint64_t at_ms = 0;
    size_t bytes = 0;
  };

  // Without `channel` as TerminalTrack.
  explicit TerminalSegments(std::optional<uint32_t> channel);
  TerminalSegments(const TerminalSegments&) = delete;
  TerminalSegments& operator=(const TerminalSegments&) = delete;

  void begin(PageClock clock) { clock_ = clock; }
  // Any event; those of no terminal are passed over.
  void add(const Event& event);

  // A line that could be read, with the moment from which it could.
  struct Line {
    uint64_t at_ms = 0;
    std::string text;
  };

  struct Made {
    std::vector<Segment> segments;  // at least one
    std::vector<Output> outputs;    // when there was something to see, and how much
    std::vector<Line> lines;        // roughly in the order of time
    bool are_lines_cut = false;     // there were more: the first are here
  };
  Made finish();

  uint64_t output_bytes() const { return output_bytes_; }
  std::optional<uint32_t> channel() const { return track_.channel(); }

 private:
  static constexpr size_t kMaxLineTextBytes = size_t{48} << 20;

  void cut(uint64_t at_ms, bool is_last = false);
  void start(uint64_t at_ms);
  void look_before(uint64_t boot_ns);
  void look(uint64_t boot_ns);
  void take_lines();

  PageClock clock_;
  TerminalTrack track_;
  VisibleLines lines_;
  uint64_t now_boot_ns_ = 0;  // of the event that is being fed
  uint64_t looked_boot_ns_ = 0;
  uint64_t changed_boot_ns_ = 0;
  bool is_changed_ = false;  // since the last look
  size_t line_text_bytes_ = 0;
  Made made_;
  Segment segment_;
  std::string times_;
  std::string texts_;
  size_t segment_bytes_ = 0;
  uint64_t last_ms_ = 0;
  uint64_t output_bytes_ = 0;
};

}  // namespace cairn::recorder
