#include "recorder/sequence_set.h"

#include <algorithm>
#include <iterator>

namespace cairn::recorder {

void SequenceSet::insert(SequenceRange range) {
  auto next = ranges_.upper_bound(range.from);
  if (next != ranges_.begin()) {
    const auto before = std::prev(next);
    if (before->second >= range.from - 1) next = before;
  }
  // From here on `next` runs over all that overlap or touch. No sum: to + 1 may not exist.
  while (next != ranges_.end() && next->first - 1 <= range.to) {
    range.from = std::min(range.from, next->first);
    range.to = std::max(range.to, next->second);
    count_ -= next->second - next->first + 1;
    next = ranges_.erase(next);
  }
  ranges_.emplace_hint(next, range.from, range.to);
  count_ += range.count();
}

uint64_t SequenceSet::erase(SequenceRange range) {
  uint64_t erased = 0;
  auto next = ranges_.upper_bound(range.from);
  if (next != ranges_.begin() && std::prev(next)->second >= range.from) --next;
  while (next != ranges_.end() && next->first <= range.to) {
    const SequenceRange found{next->first, next->second};
    next = ranges_.erase(next);
    if (found.from < range.from) ranges_.emplace(found.from, range.from - 1);
    if (found.to > range.to) ranges_.emplace(range.to + 1, found.to);
    erased += SequenceRange{std::max(found.from, range.from), std::min(found.to, range.to)}.count();
  }
  count_ -= erased;
  return erased;
}

void SequenceSet::erase_lowest_range() {
  if (ranges_.empty()) return;
  count_ -= ranges_.begin()->second - ranges_.begin()->first + 1;
  ranges_.erase(ranges_.begin());
}

bool SequenceSet::contains(uint64_t number) const {
  const auto next = ranges_.upper_bound(number);
  return next != ranges_.begin() && std::prev(next)->second >= number;
}

std::vector<SequenceRange> SequenceSet::lowest(size_t limit) const {
  std::vector<SequenceRange> found;
  for (const auto& [from, to] : ranges_) {
    if (found.size() == limit) break;
    found.push_back({from, to});
  }
  return found;
}

std::vector<SequenceRange> SequenceSet::absent(SequenceRange within) const {
  std::vector<SequenceRange> found;
  uint64_t from = within.from;
  auto next = ranges_.upper_bound(from);
  if (next != ranges_.begin() && std::prev(next)->second >= from) --next;
  for (; next != ranges_.end() && next->first <= within.to; ++next) {
    if (next->first > from) found.push_back({from, next->first - 1});
    if (next->second >= within.to) return found;
    from = next->second + 1;
  }
  if (from <= within.to) found.push_back({from, within.to});
  return found;
}

uint64_t SequenceSet::common(const SequenceSet& other) const {
  uint64_t common = 0;
  auto a = ranges_.begin();
  auto b = other.ranges_.begin();
  while (a != ranges_.end() && b != other.ranges_.end()) {
    const uint64_t from = std::max(a->first, b->first);
    const uint64_t to = std::min(a->second, b->second);
    if (from <= to) common += to - from + 1;
    if (a->second < b->second) {
      ++a;
    } else {
      ++b;
    }
  }
  return common;
}

}  // namespace cairn::recorder
