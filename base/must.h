#pragma once

#include <cstdlib>

namespace cairn {

// For calls of libraries that fail only when there is no memory left, or when this program is wrong.
inline void must(bool holds) {
  if (!holds) std::abort();
}

}  // namespace cairn
