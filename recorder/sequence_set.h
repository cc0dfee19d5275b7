#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace cairn::recorder {

// Consecutive numbers, both ends included, 1 <= from <= to.
struct SequenceRange {
  uint64_t from = 0;
  uint64_t to = 0;

  uint64_t count() const { return to - from + 1; }
  bool operator==(const SequenceRange&) const = default;
};

// A set of sequence numbers as disjoint ranges that do not touch. Memory and time go with the number of ranges.
class SequenceSet {
 public:
  // Numbers that are in it already stay.
  void insert(SequenceRange range);
  void insert(uint64_t number) { insert({number, number}); }
  // Takes out what is in it and returns how many those were.
  uint64_t erase(SequenceRange range);
  bool erase(uint64_t number) { return erase({number, number}) != 0; }
  void erase_lowest_range();

  bool contains(uint64_t number) const;
  bool empty() const { return ranges_.empty(); }
  uint64_t count() const { return count_; }
  size_t ranges() const { return ranges_.size(); }
  uint64_t highest() const { return ranges_.empty() ? 0 : ranges_.rbegin()->second; }

  // At most `limit` ranges from the lowest on.
  std::vector<SequenceRange> lowest(size_t limit) const;
  // The numbers of `within` that are not in it.
  std::vector<SequenceRange> absent(SequenceRange within) const;
  // How many numbers are in both.
  uint64_t common(const SequenceSet& other) const;

 private:
  std::map<uint64_t, uint64_t> ranges_;  // from → to
  uint64_t count_ = 0;
};

}  // namespace cairn::recorder
