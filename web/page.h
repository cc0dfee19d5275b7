#pragma once

#include <string_view>

namespace cairn::web {

// The page that plays a recording, without its data: HTML with recorder::kPageDataMark where they go. Made from
// web/src when Cairn is built.
std::string_view recording_page();

}  // namespace cairn::web
