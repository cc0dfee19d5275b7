#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "base/async.h"
#include "tunnel/stream.h"

namespace cairn::tunnel {

// Bytes that a relay holds per direction: what, with the TLS buffers, bounds its memory when one side stalls. Whole
// records, so that what goes on is not cut anew.
constexpr size_t kRelayBufferBytes = 2 * kTlsRecordBytes;

struct RelayTotals {
  uint64_t left_to_right = 0;  // bytes
  uint64_t right_to_left = 0;
};

// Carries bytes both ways between two connections. When one side has finished writing, the other is told so, and its
// answer still gets through; a side that then says nothing for `silence_limit` is given up. Returns when both
// directions have ended; both connections are closed then. They must live until it returns. It cannot be cancelled:
// closing the connections ends it.
//   count  hears of every piece that was passed on
awaitable<RelayTotals> relay(Connection* left, Connection* right, std::function<void(size_t bytes)> count,
                             std::chrono::milliseconds silence_limit = std::chrono::seconds(60));

}  // namespace cairn::tunnel
