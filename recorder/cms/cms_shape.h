#pragma once

#include <string_view>

#include "base/result.h"

namespace cairn::recorder {

// Whether a ContentInfo has just the parts that cms_seal() gives it, so that OpenSSL is shown nothing that we have no
// use for: AuthEnvelopedData, recipients by transported or agreed keys alone and not too many, AES-256-GCM with the
// nonce and tag of RFC 5084, no attributes. (Foreign sizes of nonces have overflowed OpenSSL's stack: CVE-2025-15467.)
//   fails  kCorrupt, with what is wrong
Result<void> check_cms_shape(std::string_view der);

}  // namespace cairn::recorder
