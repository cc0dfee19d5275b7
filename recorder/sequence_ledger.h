#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "recorder/sequence_set.h"

namespace cairn::recorder {

// Keeps the books of one session's kernel sequence numbers. The kernel gives them out from 1 without gaps, before it
// knows whether the event will fit; they arrive in any order. Every number ends as stored or as missing, exactly once:
// after finish(n), stored() + missing() == n.
class SequenceLedger {
 public:
  static constexpr uint64_t kPatienceNs = 1'000'000'000;
  static constexpr size_t kMaxOpenHoles = 65536;  // beyond it the oldest are declared missing at once
  static constexpr size_t kMaxDeclared = 65536;   // ranges remembered for events that come after all

  enum class Seen {
    kNew,
    kAfterGap,  // a gap had declared it missing; now it is stored. Readers let the event win over the gap
    kRepeated,  // it was stored before, or is long settled; not counted again
  };
  Seen note(uint64_t number);

  // Somebody else has said that these are missing and why (the capture, of records it could not read).
  void declare(SequenceRange range);

  // A number that was noted will not be stored after all. It counts as missing; putting the gap on record is the
  // caller's.
  void lose(uint64_t number);

  // What has been missing for kPatienceNs, counted from the first call that saw the hole: events delayed together with
  // this call (a stalled process) get their time. Each range is returned once and counts as missing from then on.
  std::vector<SequenceRange> overdue(uint64_t now_boot_ns);

  // All that is missing up to `issued` and was not returned before.
  std::vector<SequenceRange> finish(uint64_t issued);

  uint64_t stored() const { return stored_; }
  uint64_t missing() const { return missing_; }
  uint64_t highest() const { return highest_; }

 private:
  struct Hole {
    uint64_t to;
    uint64_t seen_boot_ns;  // 0: no overdue() has seen it yet
  };
  using Holes = std::map<uint64_t, Hole>;

  void raise_to(uint64_t number);
  uint64_t cut_from_holes(SequenceRange range);
  void settle_as_missing(SequenceRange range);
  SequenceRange take(Holes::iterator hole);

  Holes holes_;           // by first number; hence also by the time they were seen
  SequenceSet declared_;  // missing for good, unless the event comes after all
  uint64_t highest_ = 0;
  uint64_t stored_ = 0;
  uint64_t missing_ = 0;
};

}  // namespace cairn::recorder
