#include "recorder/chunk_index.h"

#include <algorithm>
#include <limits>

namespace cairn::recorder {

void ChunkIndex::add(uint64_t file_offset, const ChunkHeader& header) {
  const Entry entry{.file_offset = file_offset,
                    .first_boot_ns = header.first_boot_ns,
                    .last_boot_ns = header.last_boot_ns,
                    .events = header.events,
                    .chunks = 1};
  if (!entries_.empty() && entries_.back().chunks < stride_) {
    join(entries_.back(), entry);
    return;
  }
  if (entries_.size() == kMaxEntries) {
    for (size_t i = 0; i < kMaxEntries / 2; ++i) {
      entries_[i] = entries_[2 * i];
      join(entries_[i], entries_[2 * i + 1]);
    }
    entries_.resize(kMaxEntries / 2);
    stride_ *= 2;
  }
  entries_.push_back(entry);
}

void ChunkIndex::join(Entry& into, const Entry& next) {
  into.first_boot_ns = std::min(into.first_boot_ns, next.first_boot_ns);
  into.last_boot_ns = std::max(into.last_boot_ns, next.last_boot_ns);
  const uint64_t events = uint64_t{into.events} + next.events;
  into.events = static_cast<uint32_t>(std::min<uint64_t>(events, std::numeric_limits<uint32_t>::max()));
  into.chunks += next.chunks;
}

void ChunkIndex::copy_to(End& end) const {
  end.clear_index();
  for (const Entry& entry : entries_) {
    auto* copy = end.add_index();
    copy->set_file_offset(entry.file_offset);
    copy->set_first_boot_ns(entry.first_boot_ns);
    copy->set_last_boot_ns(entry.last_boot_ns);
    copy->set_events(entry.events);
  }
}

bool ChunkIndex::matches(const End& end) const {
  return std::ranges::equal(entries_, end.index(), [](const Entry& mine, const recording::v1::IndexEntry& theirs) {
    return mine.file_offset == theirs.file_offset() && mine.first_boot_ns == theirs.first_boot_ns() &&
           mine.last_boot_ns == theirs.last_boot_ns() && mine.events == theirs.events();
  });
}

}  // namespace cairn::recorder
