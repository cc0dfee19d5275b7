#pragma once

#include <memory>

#include "base/result.h"
#include "tunnel/stream.h"

namespace cairn::cli {

// Joins two descriptors of any kind (pipe, terminal, file, socket) with a connection, raw bytes both ways, until the
// far end has finished and all it sent is written, or whoever reads `out` has gone. The end of `in` is passed on, and
// the far end may go on for as long as it likes. SIGPIPE must be ignored; what else ran on the connection's event loop
// stays where it stands.
// Pipes and terminals are opened once more for it, so that whoever shares them finds them as they were; a socket is
// made non-blocking for all that hold it (open(2): the flag belongs to the open file description).
//   in, out  borrowed
Result<void> pipe_bytes(std::unique_ptr<tunnel::Connection> connection, int in, int out);

}  // namespace cairn::cli
