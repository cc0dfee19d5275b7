#include "recorder/sequence_ledger.h"

#include <algorithm>
#include <iterator>

namespace cairn::recorder {

SequenceLedger::Seen SequenceLedger::note(uint64_t number) {
  if (number > highest_) {
    raise_to(number);
    cut_from_holes({number, number});
    ++stored_;
    return Seen::kNew;
  }
  if (cut_from_holes({number, number}) != 0) {
    ++stored_;
    return Seen::kNew;
  }
  if (declared_.erase(number)) {
    --missing_;
    ++stored_;
    return Seen::kAfterGap;
  }
  return Seen::kRepeated;
}

void SequenceLedger::declare(SequenceRange range) {
  if (range.from == 0 || range.to < range.from) return;
  // Only what is open can be declared: a number that is stored stays stored.
  if (range.to > highest_) raise_to(range.to);
  std::vector<SequenceRange> open;
  auto hole = holes_.upper_bound(range.from);
  if (hole != holes_.begin()) --hole;
  for (; hole != holes_.end() && hole->first <= range.to; ++hole) {
    const SequenceRange part{std::max(hole->first, range.from), std::min(hole->second.to, range.to)};
    if (part.from <= part.to) open.push_back(part);
  }
  for (const SequenceRange part : open) {
    cut_from_holes(part);
    settle_as_missing(part);
  }
}

void SequenceLedger::lose(uint64_t number) {
  if (number == 0 || number > highest_ || declared_.contains(number)) return;
  --stored_;
  settle_as_missing({number, number});
}

std::vector<SequenceRange> SequenceLedger::overdue(uint64_t now_boot_ns) {
  // New holes are the highest ones, so the unseen are at the end.
  for (auto hole = holes_.rbegin(); hole != holes_.rend() && hole->second.seen_boot_ns == 0; ++hole) {
    hole->second.seen_boot_ns = std::max<uint64_t>(now_boot_ns, 1);
  }
  std::vector<SequenceRange> due;
  while (!holes_.empty()) {
    const uint64_t seen = holes_.begin()->second.seen_boot_ns;
    const bool is_due = now_boot_ns >= seen && now_boot_ns - seen >= kPatienceNs;
    if (!is_due && holes_.size() <= kMaxOpenHoles) break;
    due.push_back(take(holes_.begin()));
  }
  return due;
}

std::vector<SequenceRange> SequenceLedger::finish(uint64_t issued) {
  if (issued > highest_) raise_to(issued);
  std::vector<SequenceRange> open;
  while (!holes_.empty()) open.push_back(take(holes_.begin()));
  return open;
}

// All numbers that this passes, itself included, are open from now on.
void SequenceLedger::raise_to(uint64_t number) {
  const uint64_t from = highest_ + 1;
  highest_ = number;
  // Neighbouring holes of the same age are one: else a run of declared numbers would leave a hole each.
  if (!holes_.empty()) {
    Hole& last = holes_.rbegin()->second;
    if (last.to == from - 1 && last.seen_boot_ns == 0) {
      last.to = number;
      return;
    }
  }
  holes_.emplace_hint(holes_.end(), from, Hole{.to = number, .seen_boot_ns = 0});
}

// `range` lies within one hole or in none. Returns how many numbers it took out.
uint64_t SequenceLedger::cut_from_holes(SequenceRange range) {
  auto hole = holes_.upper_bound(range.from);
  if (hole == holes_.begin()) return 0;
  --hole;
  const uint64_t from = hole->first;
  const Hole found = hole->second;
  if (found.to < range.to) return 0;
  hole = holes_.erase(hole);
  if (found.to > range.to) {
    hole = holes_.emplace_hint(hole, range.to + 1, Hole{.to = found.to, .seen_boot_ns = found.seen_boot_ns});
  }
  if (from < range.from) {
    holes_.emplace_hint(hole, from, Hole{.to = range.from - 1, .seen_boot_ns = found.seen_boot_ns});
  }
  return range.count();
}

void SequenceLedger::settle_as_missing(SequenceRange range) {
  missing_ += range.count();
  declared_.insert(range);
  if (declared_.ranges() > kMaxDeclared) declared_.erase_lowest_range();
}

SequenceRange SequenceLedger::take(Holes::iterator hole) {
  const SequenceRange range{hole->first, hole->second.to};
  holes_.erase(hole);
  settle_as_missing(range);
  return range;
}

}  // namespace cairn::recorder
