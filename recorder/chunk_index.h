#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "recorder/chunk.h"

namespace cairn::recorder {

// Where the chunks of a recording lie, as its node writes them, and which time they cover, in bounded memory: an entry
// stands for `stride()` consecutive chunks, 1 at first; each time kMaxEntries are passed, neighbours are joined and the
// stride doubles. So the index of a session of any length fits into the final chunk, and a seek reads at most
// `stride()` chunks too many.
class ChunkIndex {
 public:
  static constexpr size_t kMaxEntries = 8192;

  void add(uint64_t file_offset, const ChunkHeader& header);
  void copy_to(End& end) const;
  // True when `end` holds exactly this index.
  bool matches(const End& end) const;

  size_t entries() const { return entries_.size(); }
  uint64_t stride() const { return stride_; }

 private:
  struct Entry {
    uint64_t file_offset;
    uint64_t first_boot_ns;
    uint64_t last_boot_ns;
    uint32_t events;
    uint64_t chunks;
  };
  static void join(Entry& into, const Entry& next);

  std::vector<Entry> entries_;
  uint64_t stride_ = 1;
};

}  // namespace cairn::recorder
