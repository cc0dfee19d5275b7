#pragma once

#include <string>

#include "recorder/screen/screen.h"

namespace cairn::recorder {

// A picture of what a terminal shows, SVG 1.1: shapes and text alone, nothing that runs or is fetched. Each run of
// characters is held to its columns, whatever the viewer's font.
std::string svg_of(const Screen& screen);

}  // namespace cairn::recorder
