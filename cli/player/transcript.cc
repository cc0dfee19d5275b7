#include "cli/player/transcript.h"

#include <fmt/format.h>

#include "cli/print/plain_text.h"
#include "recorder/text.h"

namespace cairn::cli {
namespace {

using recording::v1::Event;

// A recording may come from anyone: what it names is bounded before it is remembered.
constexpr size_t kMaxStreams = 1024;

// Dim and back. Not a full reset, which would end the program's own colours in the middle of its output.
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kNotDim = "\x1b[22m";

}  // namespace

bool Transcript::shows(const Event& event) const {
  if (event.kind_case() == Event::KIND_NOT_SET) return false;
  if (!event.has_output()) return mode_ != EventsMode::kNone && !(mode_ == EventsMode::kInline && event.has_resize());
  return mode_ != EventsMode::kOnly && !subsystem_bytes_.contains(event.output().channel());
}

std::string Transcript::show(const Event& event) {
  note(event);
  return event.has_output() ? show_output(event.output()) : show_line(event);
}

void Transcript::note(const Event& event) {
  if (!std::exchange(has_begun_, true)) begin_boot_ns_ = event.boot_ns();
  if (event.has_channel_opened() && event.channel_opened().type() == recording::v1::CHANNEL_TYPE_SUBSYSTEM &&
      subsystem_bytes_.size() < kMaxStreams)
    subsystem_bytes_[event.channel_opened().channel()] = 0;
  if (!event.has_output()) return;
  if (const auto channel = subsystem_bytes_.find(event.output().channel()); channel != subsystem_bytes_.end())
    channel->second += event.output().data().size();
}

std::string Transcript::show_output(const recording::v1::TerminalOutput& output) {
  const std::pair stream(output.channel(), static_cast<int>(output.stream()));
  if (filters_.size() >= kMaxStreams && !filters_.contains(stream)) filters_.clear();
  const std::string filtered = filters_[stream].filter(output.data());
  std::string out;
  size_t done = 0;
  while (!held_lines_.empty() && done < filtered.size()) {
    const size_t line_feed = filtered.find('\n', done);
    if (line_feed == std::string::npos) break;
    const std::string_view line = std::string_view(filtered).substr(done, line_feed + 1 - done);
    out += line;
    lines_.feed(line);
    done = line_feed + 1;
    if (lines_.is_at_line_start() && !lines_.is_full_screen()) out += take_held_lines();
  }
  const std::string_view rest = std::string_view(filtered).substr(done);
  lines_.feed(rest);
  out += rest;
  return out;
}

std::string Transcript::show_line(const Event& event) {
  // Between the lines it stands as it was echoed.
  if (event.has_input() && mode_ != EventsMode::kOnly) return {};
  std::string text = recorder::describe(event);
  if (text.empty()) return {};
  if (event.has_channel_closed()) {
    if (const auto channel = subsystem_bytes_.extract(event.channel_closed().channel()); !channel.empty())
      text += fmt::format(", {} of its protocol not shown", format_bytes(channel.mapped()));
  }
  if (mode_ == EventsMode::kOnly) {
    const double seconds = static_cast<double>(static_cast<int64_t>(event.boot_ns() - begin_boot_ns_)) / 1e9;
    return fmt::format("{:>10.3f}  {}{}", seconds, text, line_end());
  }
  std::string line = is_terminal_ ? fmt::format("{}  {}{}{}", kDim, text, kNotDim, line_end())
                                  : fmt::format("  {}{}", text, line_end());
  if (held_lines_.empty() && lines_.is_at_line_start() && !lines_.is_full_screen()) return line;
  if (held_lines_.size() < kMaxHeldLines) {
    held_lines_.push_back(std::move(line));
  } else {
    held_beyond_limit_++;
  }
  return {};
}

std::string Transcript::take_held_lines() {
  std::string out;
  for (const std::string& line : held_lines_) out += line;
  if (held_beyond_limit_ > 0)
    out += fmt::format("  {} more events came meanwhile; --events=only shows them{}", held_beyond_limit_, line_end());
  held_lines_.clear();
  held_beyond_limit_ = 0;
  return out;
}

std::string Transcript::break_line() {
  std::string out = lines_.is_at_line_start() ? "" : line_end();
  lines_ = LineTracker();
  return out + take_held_lines();
}

std::string Transcript::finish() {
  std::string out;
  if (is_terminal_ && mode_ != EventsMode::kOnly) out += recorder::TerminalFilter::reset_sequence();
  if (!held_lines_.empty() || (is_terminal_ && !lines_.is_at_line_start())) out += break_line();
  return out;
}

std::string Transcript::reset() {
  *this = Transcript(mode_, is_terminal_);
  return is_terminal_ ? std::string(recorder::TerminalFilter::reset_sequence()) + "\x1b[H\x1b[2J" : std::string();
}

}  // namespace cairn::cli
