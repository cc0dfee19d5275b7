// A stranger's X.509 certificate (DER), as it is read before anybody knows whether it may be believed: names alone, and
// sentences about them that go to logs.
#include <cstdint>
#include <cstdlib>
#include <memory>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/log.h"
#include "tunnel/peer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  const unsigned char* at = input;
  const cairn::tunnel::X509Certificate certificate(d2i_X509(nullptr, &at, static_cast<long>(size)));
  ERR_clear_error();
  if (!certificate) return 0;
  static_cast<void>(cairn::tunnel::ca_pin_of(certificate.get()));
  const auto peer = cairn::tunnel::peer_of(certificate.get());
  if (!peer) return 0;
  // Whoever it says it is: nothing in it may break out of a line.
  if (cairn::tunnel::describe(*peer).find_first_of("\n\r\x1b") != std::string::npos) std::abort();
  return 0;
}
