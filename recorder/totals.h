#pragma once

#include <cstdint>

#include "recorder/chunk.h"

namespace cairn::recorder {

// Events of each kind in a recording; terminal output by bytes.
struct Totals {
  uint64_t output_bytes = 0;
  uint64_t execs = 0;
  uint64_t opens = 0;
  uint64_t connects = 0;  // attempts and results
  uint64_t exits = 0;
  uint64_t changes = 0;
  uint64_t sockets = 0;
  uint64_t tampers = 0;
  uint64_t folded = 0;  // uses, not events

  void add(const Event& event);
  void add(const ChunkMeta& chunk);
  void copy_to(End& end) const;
};

// True for what the kernel saw: the kinds that carry a kernel sequence number.
bool is_kernel_event(const Event& event);

}  // namespace cairn::recorder
