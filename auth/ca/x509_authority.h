#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "auth/ca/openssl_types.h"
#include "base/result.h"

namespace cairn::auth {

// What a certificate is to say. Profile: RFC 5280; one SAN URI names the role (docs/protocol.md).
struct CertificateOrder {
  std::string uri;          // "cairn://CLUSTER/node/UUID"
  std::string dns;          // a further SAN; empty: none
  std::string common_name;  // for people who look at it; trust does not depend on it
  std::string unit = {};    // organizational unit of the subject; empty: none
  bool is_server = false;   // may answer as well as call
  int64_t not_before_wall_s = 0;
  int64_t not_after_wall_s = 0;
};

// One X.509 authority: a P-256 key and its self-signed certificate. Immutable; any thread.
class X509Authority {
 public:
  // Reads NAME.key and NAME.pem from the folder, or makes them: the key first, so that a crash between the two is
  // healed by the next start. The certificate lasts ten years.
  //   common_name  of a new certificate
  //   fails        kCorrupt: the key is missing while the certificate is there, or they do not belong together. An
  //                errno.
  static Result<X509Authority> open(const std::filesystem::path& folder, const std::string& name,
                                    const std::string& common_name, int64_t now_wall_s);

  // A certificate for the P-256 key in `public_key`, a SubjectPublicKeyInfo in DER; PEM.
  //   fails  kInvalid: not such a key
  Result<std::string> issue(const std::string& public_key, const CertificateOrder& order) const;

  // A certificate for an Ed25519 key, 32 bytes, that signs documents (RFC 9336) and is good for no connection; DER.
  //   fails  kInvalid: not such a key
  Result<std::string> issue_signer(const std::string& ed25519_public_key, const CertificateOrder& order) const;

  // A certificate that is taken back.
  struct Revoked {
    std::string serial;  // hexadecimal
    int64_t since_wall_s = 0;
  };
  // An X.509 CRL (RFC 5280 §5) of these, valid for a week; PEM.
  Result<std::string> revocations(const std::vector<Revoked>& revoked, int64_t now_wall_s) const;

  const std::string& pem() const { return pem_; }
  // "sha256:" and the SHA-256 of its SubjectPublicKeyInfo in hexadecimal.
  std::string pin() const;

 private:
  X509Authority(Key key, Certificate certificate, std::string pem)
      : key_(std::move(key)), certificate_(std::move(certificate)), pem_(std::move(pem)) {}

  Result<Certificate> make(EVP_PKEY* subject, const CertificateOrder& order, const char* purposes) const;

  Key key_;
  Certificate certificate_;
  std::string pem_;
};

}  // namespace cairn::auth
