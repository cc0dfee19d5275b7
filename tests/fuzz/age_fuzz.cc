// Files that claim to be age's, bytes that claim to be keys: a header that is read is written again as it was, and no
// length of anything is believed.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "recorder/age/age.h"
#include "recorder/age/header.h"

using namespace cairn;
using namespace cairn::recorder;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(input), size);
  static const AgeIdentity identity =
      AgeIdentity::parse("AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0").value();
  if (const Result<AgeHeader> header = parse_age_header(bytes)) {
    if (finish_age_header(age_header_text(header->stanzas), header->mac) != bytes.substr(0, header->bytes))
      std::abort();
  }
  const Result<Secret> key = age_unwrap(bytes, std::span<const AgeIdentity>(&identity, 1));
  if (key) static_cast<void>(age_decrypt(bytes, key->view()));
  static_cast<void>(age_decrypt(bytes, "YELLOW SUBMARINE"));
  static_cast<void>(age_decrypt_torn(bytes, size * 2, "YELLOW SUBMARINE"));
  static_cast<void>(AgeRecipient::parse(bytes.substr(0, 100)));
  static_cast<void>(parse_age_identities(bytes.substr(0, 1000)));
  return 0;
}
