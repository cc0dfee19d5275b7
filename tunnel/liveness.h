#pragma once

#include <chrono>

namespace cairn::tunnel {

// A control connection on which nothing has come for so long is dead, for either side (docs/protocol.md §5): two pings
// were missed, and the answer to the second had time for a retransmission or two.
constexpr std::chrono::milliseconds silence_limit(std::chrono::milliseconds ping_interval) {
  return ping_interval * 12 / 5;
}

}  // namespace cairn::tunnel
