#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cairn::recorder {

// What an X.509 certificate of a signing key says: the session's, or auth's cosigning key's.
struct SignerCertificate {
  std::string public_key;   // Ed25519, 32 bytes
  std::string common_name;  // the session's UUID; auth's name for its key
  std::string unit;         // the node's UUID; empty for auth's
  std::string uri;          // "cairn://CLUSTER/session/UUID", "cairn://CLUSTER/log"
  int64_t not_before_wall_s = 0;
  int64_t not_after_wall_s = 0;
  std::string serial;  // hexadecimal
};

// The key alone, the certificate's signature unchecked.
//   fails  kCorrupt: no certificate of an Ed25519 key
Result<std::string> ed25519_key_of(std::string_view der);

Result<std::string> serial_of_certificate(std::string_view der);  // hexadecimal

// Whom to believe, and whom no more.
struct Trust {
  std::string authorities_pem;            // of the cluster's host authority, one or more certificates
  std::string revocations_pem;            // X.509 CRLs by the same; empty: none are at hand
  std::string timestamp_authorities_pem;  // X.509 of RFC 3161 authorities; empty: timestamps are read, and not checked
};

// The certificate, if one of the authorities has signed it. Its times are not held against it: what was signed then
// stays signed.
//   fails  kCorrupt: no certificate, or none of an Ed25519 key. kUnauthenticated: nobody who is trusted has signed it.
//          kExpired: it is revoked; the sentence says since when
Result<SignerCertificate> check_signer(std::string_view der, const Trust& trust);

}  // namespace cairn::recorder
