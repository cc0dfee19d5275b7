#pragma once

#include <cstdint>
#include <functional>

#include "base/async.h"
#include "tunnel/stream.h"

namespace cairn::tunnel {

// Bytes that a relay holds per direction: what bounds its memory when one side stalls.
constexpr size_t kRelayBufferBytes = 64 * 1024;

// Carries bytes both ways between two connections until both directions have ended, or, with TLS on either side, until
// one has; then both are closed after what was read has been written. Both must live until it returns. `count` hears of
// every piece that was passed on.
awaitable<void> relay(Connection* left, Connection* right, std::function<void(size_t bytes)> count);

}  // namespace cairn::tunnel
