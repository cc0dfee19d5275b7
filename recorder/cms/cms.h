#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recorder/crypto.h"

namespace cairn::recorder {

// CMS AuthEnvelopedData (RFC 5083) with AES-256-GCM (RFC 5084), for holders of a P-256 or RSA key: what
// `openssl cms -decrypt -inform DER -inkey KEY` reads. The content's key is wrapped with RSA-OAEP and SHA-256 (RFC
// 4055), or with AES-256 under an ECDH agreement and SHA-256 (RFC 5753). A recipient is named by its key identifier
// (RFC 5280 §4.2.1.2, method 1). All functions are pure; any thread.

constexpr size_t kMaxCmsBytes = 64 * 1024;  // of a whole ContentInfo
constexpr size_t kMaxCmsRecipients = 50;    // the largest keys, too, fit then
constexpr size_t kMaxPemBytes = 64 * 1024;
constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 8192;

// Whom a secret is encrypted to: a public key, P-256 or RSA. Nothing else of a certificate is looked at: who names it
// here believes it.
class CmsRecipient {
 public:
  //   text   "cms:" and the SubjectPublicKeyInfo in base64
  //   fails  kInvalid: it is none; the sentence says why
  static Result<CmsRecipient> parse(std::string_view text);
  //   pem  holds a CERTIFICATE or a PUBLIC KEY; the first counts
  static Result<CmsRecipient> from_pem(std::string_view pem);

  std::string text() const;
  const std::string& spki() const { return spki_; }  // DER
  bool operator==(const CmsRecipient&) const = default;

 private:
  friend class CmsIdentity;
  static Result<CmsRecipient> of(EVP_PKEY* key);
  explicit CmsRecipient(std::string spki) : spki_(std::move(spki)) {}
  std::string spki_;
};

// Who can decrypt.
class CmsIdentity {
 public:
  static CmsIdentity generate();  // P-256
  // Every private key in a PEM file, of which there must be one; other blocks are skipped.
  //   fails  kInvalid: there is none, it is of another kind, or a passphrase protects it
  static Result<std::vector<CmsIdentity>> parse_all(std::string_view pem);

  Secret pem() const;  // PKCS #8
  CmsRecipient recipient() const;
  EVP_PKEY* key() const { return key_.get(); }

 private:
  explicit CmsIdentity(Pkey key) : key_(std::move(key)) {}
  Pkey key_;
};

// A ContentInfo in DER.
//   recipients  1..kMaxCmsRecipients
std::string cms_seal(std::string_view secret, std::span<const CmsRecipient> recipients);

// How long the ContentInfo at the beginning of `bytes` is.
//   fails  kCorrupt: there is no DER value of at most kMaxCmsBytes
Result<size_t> cms_size(std::string_view bytes);

// What is in it.
//   der    one ContentInfo; its shape is checked before OpenSSL sees it
//   fails  kCorrupt: not such a one as cms_seal() makes, or altered. kDenied: encrypted to somebody else
Result<Secret> cms_open(std::string_view der, const CmsIdentity& identity);

}  // namespace cairn::recorder
