// Bytes that claim to be a secret for holders of certificates: what passes the check of its shape is whole, no length
// of anything is believed, and OpenSSL leaves nothing behind that another of its users on this thread would stumble
// over.
#include <openssl/err.h>

#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "recorder/cms/cms_shape.h"
#include "recorder/recipients.h"

using namespace cairn;
using namespace cairn::recorder;

namespace {

// The reader of the seeds in corpus/cms.
constexpr std::string_view kKey = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg2ODbz/1z/BGrmaSu
ko3lg1M/7A70MMAN3IV/viaGtUChRANCAATFLgqlboCXitVicvgxEwlh6AAV4up8
ltYFWn88k4uvO/NytVhoN6h/SZP1LbWumKApMMaIRlwKU1axKhHxVPfb
-----END PRIVATE KEY-----
)";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(input), size);
  static const Identity identity = std::move(parse_identities(kKey).value().front());
  if (check_cms_shape(bytes) && cms_size(bytes).value() != size) std::abort();
  static_cast<void>(open_sealed(bytes, std::span<const Identity>(&identity, 1)));
  static_cast<void>(CmsRecipient::parse(bytes));
  static_cast<void>(CmsRecipient::from_pem(bytes));
  static_cast<void>(parse_identities(bytes));
  if (ERR_peek_error() != 0) std::abort();
  return 0;
}
