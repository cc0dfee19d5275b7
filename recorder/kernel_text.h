#pragma once

#include <string>

#include "recorder/chunk.h"

namespace cairn::recorder {

// What the kernel saw, on one line; "" for an event of another kind. Of any length: describe() cuts it.
std::string kernel_event_text(const Event& event);

}  // namespace cairn::recorder
