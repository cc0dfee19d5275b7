#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/ssh_wire.h"

namespace cairn::auth {

// OpenSSH user certificates: PROTOCOL.certkeys of OpenSSH.

struct SshCertificateOrder {
  std::string key_id;                   // the person's name
  std::vector<std::string> principals;  // never empty: OpenSSH takes a certificate without any for valid for all
  int64_t valid_after_wall_s = 0;
  int64_t valid_before_wall_s = 0;
};

// Checks that a key may be certified: Ed25519, ECDSA on a NIST curve, RSA of 2048 to 16384 bits.
//   fails  kInvalid: malformed, or too weak. kUnsupported: another type.
Result<void> check_subject_key(const SshPublicKey& key);

// The certificate without its signature, which is made over exactly these bytes.
Result<std::string> certificate_to_sign(const SshPublicKey& subject, const SshCertificateOrder& order,
                                        std::string_view authority_blob);

// What auth reads in a certificate that it is said to have signed.
struct SshCertificateView {
  std::string key_id;
  uint32_t type = 0;  // 1 = user
  std::vector<std::string> principals;
  uint64_t valid_after_wall_s = 0;
  uint64_t valid_before_wall_s = 0;
  std::string authority_blob;
  std::string signed_bytes;
  std::string signature;  // of an Ed25519 authority: 64 bytes
};
//   fails  kInvalid: not a certificate, or of a type that we do not issue
Result<SshCertificateView> parse_ssh_certificate(std::string_view blob);

}  // namespace cairn::auth
