#include "recorder/html/html_export.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "recorder/html/packed.h"
#include "recorder/export/terminal_export.h"

namespace cairn::recorder {
namespace {

constexpr size_t kActivityColumns = 600;
constexpr size_t kMaxSubsystems = 1024;

Failure too_large(std::string_view what) {
  return fail(
      Errc::kTooLarge,
      fmt::format("the recording is too large for one page that a browser can hold: {}; \"cairn play\" plays it, "
                  "and --as=asciicast2 and --as=jsonl export it",
                  what));
}

// Columns of a table as JSON arrays, since browsers read few large ones faster than many small ones.
template <class Rows, class Text> std::string column(const Rows& rows, Text text) {
  std::string json = "[";
  for (const auto& row : rows) {
    if (json.size() > 1) json += ',';
    json += text(row);
  }
  return json + ']';
}

// As differences, some below 0.
template <class Rows> std::string times(const Rows& rows) {
  int64_t before_ms = 0;
  return column(rows, [&](const auto& row) {
    const auto at_ms = static_cast<int64_t>(row.at_ms);
    return std::to_string(at_ms - std::exchange(before_ms, at_ms));
  });
}

std::string events_json(const std::vector<ListedEvent>& events) {
  std::string kinds;
  for (const ListedEvent& event : events) kinds += static_cast<char>(event.kind);
  return fmt::format("{{\"at\":{},\"kind\":{},\"text\":{},\"detail\":{}}}", times(events), json_string(kinds),
                     column(events, [](const ListedEvent& event) { return json_string(event.text); }),
                     column(events, [](const ListedEvent& event) { return json_string(event.detail); }));
}

std::string lines_json(const std::vector<TerminalSegments::Line>& lines) {
  return fmt::format("{{\"at\":{},\"text\":{}}}", times(lines),
                     column(lines, [](const TerminalSegments::Line& line) { return json_string(line.text); }));
}

// How much there was to see, for each part of the whole time.
std::string activity_json(const std::vector<TerminalSegments::Output>& outputs, uint64_t duration_ms) {
  std::vector<uint64_t> bytes(kActivityColumns);
  for (const TerminalSegments::Output& output : outputs) {
    const uint64_t at = output.at_ms * kActivityColumns / std::max<uint64_t>(duration_ms, 1);
    bytes[std::min<uint64_t>(at, kActivityColumns - 1)] += output.bytes;
  }
  return column(bytes, [](uint64_t count) { return std::to_string(count); });
}

}  // namespace

Result<void> HtmlExport::add(const Event& event) {
  if (!std::exchange(has_begun_, true)) {
    clock_ = PageClock(event.boot_ns());
    terminal_.begin(clock_);
    events_.begin(clock_);
  }
  last_ms_ = std::max(last_ms_, clock_.ms_of(event.boot_ns()));
  events_.add(event);
  const auto& opened = event.channel_opened();
  if (opened.type() == recording::v1::CHANNEL_TYPE_SUBSYSTEM && subsystems_.size() < kMaxSubsystems)
    subsystems_.insert(opened.channel());
  const bool is_protocol = event.has_output() && subsystems_.contains(event.output().channel());
  if (!is_protocol) terminal_.add(event);
  if (event.has_output() && (is_protocol || terminal_.channel() != event.output().channel()))
    hidden_bytes_ += event.output().data().size();
  if (terminal_.output_bytes() > kMaxOutputBytes)
    return too_large(fmt::format("more than {} MiB of terminal output", kMaxOutputBytes >> 20));
  if (events_.size() > kMaxEvents) return too_large(fmt::format("more than {} events", kMaxEvents));
  if (events_.text_bytes() > kMaxEventTextBytes)
    return too_large(fmt::format("events of more than {} MiB of text", kMaxEventTextBytes >> 20));
  return {};
}

std::string HtmlExport::index(const TerminalSegments::Made& made) const {
  const auto segment = [](const TerminalSegments::Segment& each) {
    return fmt::format("[{},{},{}]", each.at_ms, each.columns, each.rows);
  };
  return fmt::format(
      "{{\"duration\":{},\"segments\":{},\"activity\":{},\"outputs\":{},\"hidden_bytes\":{},"
      "\"are_lines_cut\":{}}}",
      last_ms_, column(made.segments, segment), activity_json(made.outputs, last_ms_), times(made.outputs),
      hidden_bytes_, made.are_lines_cut);
}

PageParts HtmlExport::finish() {
  TerminalSegments::Made made = terminal_.finish();
  PageParts parts{.index = packed(index(made)),
                  .events = packed(events_json(events_.events())),
                  .lines = packed(lines_json(made.lines)),
                  .segments = {}};
  for (TerminalSegments::Segment& segment : made.segments) parts.segments.push_back(std::move(segment.json));
  return parts;
}

}  // namespace cairn::recorder
