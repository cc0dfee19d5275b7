#pragma once

#include <string>
#include <string_view>

namespace cairn::recorder {

// Text as a page carries it: gzip (RFC 1952), then base64. What it is made of has no say in what it looks like, so that
// no byte of a recording can end the element that it lies in.
std::string packed(std::string_view text);

}  // namespace cairn::recorder
