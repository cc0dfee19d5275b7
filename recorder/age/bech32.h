#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace cairn::recorder {

// BIP 173, as age writes its keys: lower case for recipients, upper case for identities.
std::string bech32_encode(std::string_view prefix, std::string_view bytes);

// The bytes behind "PREFIX1…". Case must be all lower or all upper; `prefix` is given in lower case.
//   fails  kInvalid: another prefix, a character outside the alphabet, or a wrong checksum (a typing error)
Result<std::string> bech32_decode(std::string_view prefix, std::string_view text);

}  // namespace cairn::recorder
