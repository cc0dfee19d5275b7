#pragma once

#include <vector>

#include "cli/player/event_feed.h"
#include "cli/verbs/context.h"

namespace cairn::cli {

// What the recorded session's node executed outside of sessions since it began (audit events "host.exec"), by time as
// events of the recording's clock. Reads the recording's first event, and goes back.
Result<std::vector<recording::v1::Event>> host_ledger(const Context& context, EventFeed& recording);

}  // namespace cairn::cli
