#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "proto/derived.pb.h"
#include "recorder/derive/derived_file.h"
#include "recorder/derive/line_search.h"

namespace cairn::recorder {

// What one asks of derived data.

enum class Step { kHere, kNextCommand, kPreviousCommand };

// A moment of a recording, and where to begin playing so that it comes after at most one chunk.
struct Moment {
  uint64_t at_ns = 0;    // since the recording's beginning
  uint64_t chunk = 0;    // at least 1: who plays has the beginning
  uint64_t offset = 0;   // of that chunk, in the recording
  std::string keyframe;  // before it; for read_keyframe()
};
//   at_ns    since the recording's beginning: the moment itself, or where one stands who steps to a command: to the
//            start of the first one after it, or of the last one before it
//   returns  nullopt: there is no such command, or nothing is derived yet
Result<std::optional<Moment>> find_moment(const DerivedFile& derived, uint64_t at_ns, Step step);

struct FoundText {
  uint64_t time_ms = 0;  // since the recording's beginning
  derived::v1::Source source = derived::v1::SOURCE_OUTPUT;
  std::string text;     // the whole line
  std::string command;  // that was running; empty: none
};
// All that match in what one chunk brought, in the order of their times.
//   sources  those that are searched
Result<std::vector<FoundText>> find_text(const derived::v1::Content& content, const LineSearch& search,
                                         const std::vector<derived::v1::Source>& sources);

}  // namespace cairn::recorder
