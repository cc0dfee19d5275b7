#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "recorder/chunk.h"

namespace cairn::recorder {

// Events as columns (recording.proto, Columns) and back: like lies beside like, so that it compresses; the order of the
// events is a column of its own. Pure; any thread.

// Appends the message to `bytes`. `events` are consumed. Times are cut to kTickNs, of output
// to kOutputTickNs.
void append_columns(Events&& events, std::string& bytes);

struct DecodedColumns {
  Events events;
  uint64_t unknown = 0;  // of kinds that this reader does not know
};

//   fails  kCorrupt: no such message, or columns that do not fit one another
Result<DecodedColumns> decode_columns(std::string_view bytes);

}  // namespace cairn::recorder
