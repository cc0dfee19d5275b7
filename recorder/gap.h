#pragma once

#include <cstddef>
#include <cstdint>

#include "recorder/chunk.h"
#include "recorder/sequence_set.h"

namespace cairn::recorder {

// So many gaps and the largest index fit into one final chunk.
constexpr size_t kMaxGapsPerChunk = 4096;

inline Event gap_event(uint64_t boot_ns, SequenceRange missing, recording::v1::GapReason reason) {
  Event event;
  event.set_boot_ns(boot_ns);
  event.mutable_gap()->set_from_seq(missing.from);
  event.mutable_gap()->set_to_seq(missing.to);
  event.mutable_gap()->set_count(missing.count());
  event.mutable_gap()->set_reason(reason);
  return event;
}

// Something is missing and nobody knows what or how much.
inline Event unknown_gap_event(uint64_t boot_ns, recording::v1::GapReason reason) {
  Event event;
  event.set_boot_ns(boot_ns);
  event.mutable_gap()->set_reason(reason);
  return event;
}

}  // namespace cairn::recorder
