#include "agent/upload/pace.h"

#include <algorithm>

namespace cairn::agent {

void Pace::spend(uint64_t bytes, Instant now) {
  if (bytes_per_s_ == 0) return;
  const std::chrono::duration<double> takes(static_cast<double>(bytes) / static_cast<double>(bytes_per_s_));
  free_at_ = std::max(free_at_, now) + std::chrono::ceil<Instant::duration>(takes);
}

}  // namespace cairn::agent
