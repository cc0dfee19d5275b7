#include "recorder/html/terminal_segments.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "recorder/html/packed.h"
#include "recorder/export/terminal_export.h"

namespace cairn::recorder {
namespace {

constexpr std::string_view kReset = "\033c";

// DECLRMM among the private modes that are set.
bool sets_side_margins(std::string_view text) {
  constexpr std::string_view kPrivate = "\x1b[?";
  constexpr std::string_view kMode = ";69;";
  for (size_t at = text.find(kPrivate); at != std::string_view::npos; at = text.find(kPrivate, at)) {
    at += kPrivate.size();
    const size_t end = std::min(text.find_first_not_of("0123456789;:", at), text.size());
    if (end < text.size() && text[end] == 'h' &&
        fmt::format(";{};", text.substr(at, end - at)).find(kMode) != std::string::npos)
      return true;
  }
  return false;
}

}  // namespace

TerminalSegments::TerminalSegments(std::optional<uint32_t> channel) : track_(channel) {
  track_.screen().watch({
      .scrolled = [this](const Row& row) { lines_.scroll(row, now_boot_ns_, 0); },
      .replaced =
          [this] {
            if (is_changed_) look(now_boot_ns_);
          },
  });
  start(0);
}

void TerminalSegments::start(uint64_t at_ms) {
  segment_ = {.at_ms = at_ms,
              .columns = track_.screen().columns(),
              .rows = track_.screen().rows(),
              .json = fmt::format("{{\"state\":{}", json_string(track_.screen().state_text()))};
  times_.clear();
  texts_.clear();
  segment_bytes_ = 0;
  last_ms_ = at_ms;
}

void TerminalSegments::look(uint64_t boot_ns) {
  lines_.look(track_.screen(), boot_ns, 0);
  looked_boot_ns_ = boot_ns;
  is_changed_ = false;
}

// Takes what stood on the screen until now for read: when it has stood still, and every now and then.
void TerminalSegments::look_before(uint64_t boot_ns) {
  now_boot_ns_ = std::max(now_boot_ns_, boot_ns);
  if (!is_changed_) return;
  if (now_boot_ns_ - changed_boot_ns_ >= kSettledNs) return look(changed_boot_ns_);
  if (now_boot_ns_ - looked_boot_ns_ >= kLookNs) look(now_boot_ns_);
}

void TerminalSegments::take_lines() {
  for (SeenLine& line : lines_.take()) {
    line_text_bytes_ += line.text.size();
    if (line_text_bytes_ > kMaxLineTextBytes) made_.are_lines_cut = true;
    if (!made_.are_lines_cut)
      made_.lines.push_back({.at_ms = clock_.ms_of(line.boot_ns), .text = std::move(line.text)});
  }
  made_.are_lines_cut |= lines_.take_lost() > 0;
}

void TerminalSegments::cut(uint64_t at_ms, bool is_last) {
  // Before the first output there is nothing to see, in whatever size.
  if (texts_.empty() && made_.segments.empty() && !is_last) return start(0);
  if (!texts_.empty() || segment_.at_ms < at_ms) {
    segment_.json = packed(fmt::format("{},\"at\":[{}],\"text\":[{}]}}", segment_.json, times_, texts_));
    made_.segments.push_back(std::move(segment_));
  }
  start(at_ms);
}

void TerminalSegments::add(const Event& event) {
  if (!event.has_channel_opened() && !event.has_resize() && !event.has_output()) return;
  const uint64_t at_ms = clock_.next_ms(event.boot_ns());
  look_before(event.boot_ns());
  // What comes in one event with "erase all" has been written before it.
  is_changed_ |= event.has_output();
  const bool has_side_margins = track_.screen().has_side_margins();
  std::string text = track_.feed(event);
  if (track_.screen().columns() != segment_.columns || track_.screen().rows() != segment_.rows) return cut(at_ms);
  if (text.empty()) return;
  // A browser's terminal has no side margins: it is told what they led to.
  if (has_side_margins || sets_side_margins(text)) text = fmt::format("{}{}", kReset, track_.screen().state_text());
  is_changed_ = true;
  changed_boot_ns_ = now_boot_ns_;
  times_ += fmt::format("{}{}", times_.empty() ? "" : ",", at_ms - std::exchange(last_ms_, at_ms));
  texts_ += texts_.empty() ? "" : ",";
  texts_ += json_string(text);
  made_.outputs.push_back({.at_ms = at_ms, .bytes = text.size()});
  output_bytes_ += text.size();
  segment_bytes_ += text.size();
  if (segment_bytes_ < kSegmentBytes) return;
  cut(at_ms);
  take_lines();
}

TerminalSegments::Made TerminalSegments::finish() {
  cut(last_ms_ + 1, true);
  if (is_changed_) look(changed_boot_ns_);
  take_lines();
  return std::move(made_);
}

}  // namespace cairn::recorder
