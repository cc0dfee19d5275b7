#include "recorder/export/terminal_export.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/clock.h"
#include "recorder/utf8.h"

namespace cairn::recorder {
namespace {

constexpr double kNsPerS = 1e9;
constexpr int64_t kWholeNsPerS = 1'000'000'000;

double seconds(uint64_t ns) { return static_cast<double>(ns) / kNsPerS; }

// Names, commands and labels stand outside the terminal, and players print them as they are: no control survives, C1 in
// UTF-8 included. A line feed in a command would begin another header of a typescript, too.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char each : with_replacements(text)) {
    const auto c = static_cast<unsigned char>(each);
    const bool is_c1 = line.ends_with('\xc2') && c < 0xa0;
    if (is_c1) line.pop_back();
    line += is_c1 || c < ' ' || c == 0x7f ? '?' : each;
  }
  return line;
}

// What a TerminalFilter has passed, whose sequences are whole, without them.
std::string plain(std::string_view filtered) {
  std::string text;
  for (size_t at = 0; at < filtered.size(); ++at) {
    const char c = filtered[at];
    if (c == '\x1b') {
      const bool is_csi = at + 1 < filtered.size() && filtered[at + 1] == '[';
      at += 1;
      while (at + 1 < filtered.size() && is_csi && (filtered[at + 1] < '@' || filtered[at + 1] > '~')) ++at;
      if (is_csi) ++at;
      // Two bytes, or more with intermediates (0x20 to 0x2f).
      while (!is_csi && at + 1 < filtered.size() && filtered[at] >= ' ' && filtered[at] <= '/') ++at;
    } else if (static_cast<unsigned char>(c) >= ' ' || c == '\n' || c == '\t') {
      text += c;
    }
  }
  return text;
}

}  // namespace

std::string json_string(std::string_view text) {
  constexpr std::string_view kShort = "\b\f\n\r\t";
  constexpr std::string_view kShortNames = "bfnrt";
  std::string json = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (const size_t at = kShort.find(c); at != std::string_view::npos) {
      json += '\\';
      json += kShortNames[at];
    } else if (byte < ' ') {
      json += fmt::format("\\u{:04x}", byte);
    } else {
      json += c;
    }
  }
  return json + '"';
}

bool TerminalExport::is_of_channel(uint32_t channel) {
  if (!options_.channel) options_.channel = channel;
  return options_.channel == channel;
}

std::string TerminalExport::add(const Event& event) {
  switch (event.kind_case()) {
    case Event::kBegin:
      begin_ = event.begin();
      begin_boot_ns_ = event.boot_ns();
      return {};
    case Event::kChannelOpened: {
      const auto& opened = event.channel_opened();
      // A terminal is worth more than what came before it without one.
      if (!options_.channel && opened.has_pty()) options_.channel = opened.channel();
      if (options_.channel != opened.channel()) return {};
      is_interactive_ = opened.has_pty();
      command_ = opened.command();
      term_ = opened.term();
      if (opened.columns() != 0 && opened.rows() != 0) size_ = {opened.columns(), opened.rows()};
      return {};
    }
    case Event::kOutput: return add_output(event);
    case Event::kResize: {
      if (options_.channel != event.resize().channel()) return {};
      size_ = {event.resize().columns(), event.resize().rows()};
      if (!has_header_) return {};
      return line(event, "r", fmt::format("{}x{}", size_.columns, size_.rows));
    }
    case Event::kInput:
      if (options_.channel != event.input().channel() || event.input().data().empty()) return {};
      return line(event, "i", with_replacements(event.input().data()));
    case Event::kMarker: return line(event, "m", one_line(event.marker().label()));
    case Event::kChannelClosed: return closed(event);
    default: return {};
  }
}

std::string TerminalExport::add_output(const Event& event) {
  if (!is_of_channel(event.output().channel())) return {};
  std::string data = event.output().data();
  if (!options_.is_raw || options_.form != TerminalForm::kTypescript) {
    data = filters_[static_cast<int>(event.output().stream())].filter(data);
  }
  // What a program without a terminal writes has no carriage returns, and a player's terminal wants them.
  if (!is_interactive_ && options_.form != TerminalForm::kTypescript) {
    std::string returned;
    for (const char c : data) {
      if (c == '\n') returned += '\r';
      returned += c;
    }
    data = std::move(returned);
  }
  return data.empty() ? std::string() : line(event, "o", data);
}

std::string TerminalExport::closed(const Event& event) {
  const auto& how = event.channel_closed();
  if (options_.form != TerminalForm::kAsciicast3 || options_.channel != how.channel()) return {};
  constexpr uint32_t kSignalled = 128;
  return line(event, "x", std::to_string(how.exit_signal().empty() ? how.exit_status() : kSignalled));
}

std::string TerminalExport::header() {
  has_header_ = true;
  const int64_t wall_s = begin_.wall_ns() / kWholeNsPerS;
  const std::string title =
      json_string(one_line(fmt::format("{} as {} on {}", begin_.user(), begin_.login(), begin_.node_name())));
  const std::string term = json_string(one_line(term_.empty() ? "xterm" : term_));
  switch (options_.form) {
    case TerminalForm::kAsciicast2:
      return fmt::format(
          "{{\"version\": 2, \"width\": {}, \"height\": {}, \"timestamp\": {}, \"title\": {}, \"env\": {{\"TERM\": "
          "{}}}}}\n",
          size_.columns, size_.rows, wall_s, title, term);
    case TerminalForm::kAsciicast3:
      return fmt::format(
          "{{\"version\": 3, \"term\": {{\"cols\": {}, \"rows\": {}, \"type\": {}}}, \"timestamp\": {}, \"title\": "
          "{}}}\n",
          size_.columns, size_.rows, term, wall_s, title);
    case TerminalForm::kText: return {};
    case TerminalForm::kTypescript:
      return fmt::format("Script started on {} [COMMAND=\"{}\" TERM=\"{}\" COLUMNS=\"{}\" LINES=\"{}\"]\n",
                         format_utc(wall_s), one_line(command_), one_line(term_), size_.columns, size_.rows);
  }
  return {};
}

std::string TerminalExport::line(const Event& event, std::string_view code, const std::string& data) {
  std::string text;
  if (!has_header_) text = header();
  // Late events stand where they arrived; players know no way back.
  const uint64_t at_ns = std::max(last_ns_, event.boot_ns() - std::min(event.boot_ns(), begin_boot_ns_));
  const uint64_t after_ns = at_ns - std::exchange(last_ns_, at_ns);
  switch (options_.form) {
    case TerminalForm::kAsciicast2:
      return text + fmt::format("[{:.6f}, \"{}\", {}]\n", seconds(at_ns), code, json_string(data));
    case TerminalForm::kAsciicast3:
      return text + fmt::format("[{:.6f}, \"{}\", {}]\n", seconds(after_ns), code, json_string(data));
    case TerminalForm::kText: return code == "o" ? plain(data) : std::string();
    case TerminalForm::kTypescript:
      if (code != "o") {
        last_ns_ -= after_ns;  // the next one waits for it
        return text;
      }
      timing_ += fmt::format("{:.6f} {}\n", seconds(after_ns), data.size());
      return text + data;
  }
  return text;
}

std::string TerminalExport::finish() {
  std::string text;
  if (!has_header_) text = header();
  if (options_.form != TerminalForm::kTypescript) return text;
  const int64_t wall_s = (begin_.wall_ns() + static_cast<int64_t>(last_ns_)) / kWholeNsPerS;
  return text + fmt::format("\nScript done on {}\n", format_utc(wall_s));
}

}  // namespace cairn::recorder
