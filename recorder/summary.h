#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "recorder/chunk.h"
#include "recorder/recording_decoder.h"
#include "recorder/sequence_set.h"
#include "recorder/totals.h"

namespace cairn::recorder {

// What a recording holds and whether it holds all it must; counted from its events, never taken from its End.
struct Summary {
  Begin begin;
  std::optional<End> end;  // unset when the recording is cut off or still being written
  uint64_t bytes = 0;      // of whole chunks
  uint64_t chunks = 0;
  uint64_t events = 0;
  uint64_t late_events = 0;
  uint64_t unknown_events = 0;  // of kinds that this reader does not know; skipped
  Totals totals;
  uint64_t gaps = 0;                  // Gap events
  uint64_t missing_output_bytes = 0;  // terminal output that gaps own to have lost
  uint64_t missing_other_events = 0;
  uint64_t first_boot_ns = 0;
  uint64_t last_boot_ns = 0;

  uint64_t kernel_issued = 0;   // as End says; without End the highest number seen
  uint64_t kernel_stored = 0;   // distinct numbers that events carry
  uint64_t kernel_missing = 0;  // distinct numbers in gaps that no event carries

  bool is_complete = false;           // the final chunk is there
  bool is_accounted = false;          // complete, and each number up to kernel_issued is stored or in a gap
  bool is_sequence_complete = false;  // accounted, and none is missing
  std::optional<Error> truncation;    // how it ends when it is not complete; all before is counted
  std::vector<std::string> findings;  // contradictions, one sentence each; empty in every recording of ours
};

// Counts events as they come out of a decoder. Bounded memory whatever the events say.
class SummaryBuilder {
 public:
  void add(const Event& event);
  // What `decoder`, which has returned the events added, ends with.
  Summary finish(const RecordingDecoder& decoder) const;

 private:
  void note_number(uint64_t number);
  void note_gap(const Gap& gap);
  void check_against_end(const End& end, Summary& summary, const ChunkIndex& index) const;

  Summary counted_;
  SequenceSet stored_;
  SequenceSet in_gaps_;
  bool has_unknown_gap_ = false;
  bool was_blind_ = false;  // events were made that have no number
  bool is_too_fragmented_ = false;
};

// Reads a whole recording file, in bounded memory. A torn or unfinished one gives a Summary that says so.
//   unlock  as RecordingDecoder's
//   fails   kCorrupt, kUnsupported, kDenied: as RecordingDecoder::next, with the path. An errno.
Result<Summary> summarize(const std::filesystem::path& path, Unlock unlock = {});

}  // namespace cairn::recorder
