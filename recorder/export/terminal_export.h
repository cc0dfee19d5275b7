#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "recorder/chunk.h"
#include "recorder/terminal_filter.h"

namespace cairn::recorder {

// The forms in which other programs play what was on a terminal.
enum class TerminalForm {
  kAsciicast2,  // asciinema 2, https://docs.asciinema.org/manual/asciicast/v2/
  kAsciicast3,  // asciinema 3, https://docs.asciinema.org/manual/asciicast/v3/
  kTypescript,  // script(1), with its timing file, for scriptreplay(1)
  kText,        // what was printed, without what moved it about or coloured it
};

struct TerminalExportOptions {
  TerminalForm form = TerminalForm::kAsciicast2;
  // The very bytes of the programs, with sequences that make a terminal act or answer; only typescripts can hold them.
  bool is_raw = false;
  std::optional<uint32_t> channel = {};  // of the session; none: the first that has a terminal, or else has output
};

// One channel of a recording as its events come. One thread at a time.
class TerminalExport {
 public:
  explicit TerminalExport(TerminalExportOptions options) : options_(options) {}

  // What this event adds to the file.
  std::string add(const Event& event);
  // What it adds to the timing file of a typescript; to be taken after each add().
  std::string take_timing() { return std::move(timing_); }
  // What stands at the end of the file.
  std::string finish();

 private:
  struct Size {
    uint32_t columns = 80;
    uint32_t rows = 24;
  };
  bool is_of_channel(uint32_t channel);
  std::string header();
  std::string line(const Event& event, std::string_view code, const std::string& data);
  std::string add_output(const Event& event);
  std::string closed(const Event& event);

  TerminalExportOptions options_;
  Begin begin_;
  uint64_t begin_boot_ns_ = 0;
  uint64_t last_ns_ = 0;  // since the beginning: of the last line
  Size size_;
  std::string term_;
  std::string command_;
  bool has_header_ = false;
  bool is_interactive_ = false;            // the channel has a terminal
  std::map<int, TerminalFilter> filters_;  // by stream
  std::string timing_;
};

// A JSON string with its quotes; `text` is UTF-8.
std::string json_string(std::string_view text);

}  // namespace cairn::recorder
