#include "recorder/derive/derived_lookup.h"

#include <algorithm>
#include <map>

#include "recorder/derive/deriver.h"

namespace cairn::recorder {
namespace {

uint64_t begin_of(const DerivedFile& derived) { return derived.segments().front().first_boot_ns; }

// Of a hostile recording's times nothing is known.
uint64_t since(uint64_t begin_boot_ns, uint64_t boot_ns) { return boot_ns - std::min(begin_boot_ns, boot_ns); }

// The command of this segment that is asked for: nearest to the moment on the wanted side.
Result<std::optional<uint64_t>> command_in(const DerivedFile& derived, const DerivedSegment& segment, uint64_t at_ns,
                                           Step step) {
  const Result<derived::v1::Content> content = derived.content(segment);
  if (!content) return fail(content);
  std::optional<uint64_t> found;
  for (const derived::v1::Command& each : content->started()) {
    const uint64_t start = since(begin_of(derived), each.boot_ns());
    if (step == Step::kNextCommand && start > at_ns) found = std::min(found.value_or(start), start);
    if (step == Step::kPreviousCommand && start < at_ns) found = std::max(found.value_or(start), start);
  }
  return found;
}

Result<std::optional<uint64_t>> find_command(const DerivedFile& derived, uint64_t at_ns, Step step) {
  std::vector<DerivedSegment> segments = derived.segments();
  const uint64_t begin = begin_of(derived);
  // Those on the wanted side, the nearest first; events may be late by less than a chunk.
  if (step == Step::kNextCommand) {
    std::erase_if(segments, [&](const DerivedSegment& each) { return since(begin, each.last_boot_ns) < at_ns; });
  } else {
    std::erase_if(segments, [&](const DerivedSegment& each) { return since(begin, each.first_boot_ns) >= at_ns; });
    std::ranges::reverse(segments);
  }
  for (const DerivedSegment& segment : segments) {
    if (segment.commands == 0) continue;
    Result<std::optional<uint64_t>> found = command_in(derived, segment, at_ns, step);
    if (!found || *found) return found;
  }
  return std::optional<uint64_t>();
}

}  // namespace

Result<std::optional<Moment>> find_moment(const DerivedFile& derived, uint64_t at_ns, Step step) {
  const std::vector<DerivedSegment>& segments = derived.segments();
  if (segments.empty()) return std::optional<Moment>();
  if (step != Step::kHere) {
    const Result<std::optional<uint64_t>> command = find_command(derived, at_ns, step);
    if (!command) return fail(command);
    if (!*command) return std::optional<Moment>();
    at_ns = **command;
  }
  const uint64_t begin = begin_of(derived);
  // last_boot_ns only grows.
  const auto behind = std::ranges::partition_point(
      segments, [&](const DerivedSegment& each) { return since(begin, each.last_boot_ns) < at_ns; });
  // Not behind the last one, where there may be nothing to begin with.
  const auto last = segments.end() - std::min<std::ptrdiff_t>(std::ssize(segments), 2);
  const DerivedSegment& before = *std::min(behind == segments.begin() ? behind : std::prev(behind), last);
  const Result<std::string> state = derived.state(before);
  if (!state) return fail(state);
  Result<std::string> keyframe = strip_to_keyframe(*state);
  if (!keyframe) return fail(keyframe);
  return std::optional(Moment{
      .at_ns = at_ns, .chunk = before.next_chunk, .offset = before.next_offset, .keyframe = std::move(*keyframe)});
}

Result<std::vector<FoundText>> find_text(const derived::v1::Content& content, const LineSearch& search,
                                         const std::vector<derived::v1::Source>& sources) {
  std::multimap<uint64_t, FoundText> found;  // by time
  std::map<uint64_t, const std::string*> commands;
  for (const derived::v1::Source source : sources) {
    const auto keep = [&](const FoundLine& line) {
      if (commands.empty()) {
        for (const derived::v1::Command& each : content.running()) commands[each.number()] = &each.text();
        for (const derived::v1::Command& each : content.started()) commands[each.number()] = &each.text();
      }
      const auto command = commands.find(line.command);
      found.emplace(line.time_ms, FoundText{.time_ms = line.time_ms,
                                            .source = source,
                                            .text = std::string(line.text),
                                            .command = command == commands.end() ? std::string() : *command->second});
      return true;
    };
    if (Result<void> searched = search.search(content, source, keep); !searched) return fail(searched);
  }
  std::vector<FoundText> in_order;
  for (auto& [time_ms, text] : found) in_order.push_back(std::move(text));
  return in_order;
}

}  // namespace cairn::recorder
