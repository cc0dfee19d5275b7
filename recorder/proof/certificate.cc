#include "recorder/proof/certificate.h"

#include <memory>
#include <utility>

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/free_with.h"
#include "recorder/crypto.h"

namespace cairn::recorder {
namespace {

using X509Ptr = std::unique_ptr<X509, FreeWith<X509_free>>;
using CrlPtr = std::unique_ptr<X509_CRL, FreeWith<X509_CRL_free>>;
using BioPtr = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;

Result<X509Ptr> parse(std::string_view der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* end = at + der.size();
  X509Ptr certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!certificate || at != end) return fail(Errc::kCorrupt, "not an X.509 certificate");
  return certificate;
}

Result<std::string> key_of(X509* certificate) {
  EVP_PKEY* key = X509_get0_pubkey(certificate);
  std::string bytes(kKeyBytes, '\0');
  size_t length = bytes.size();
  if (key == nullptr || EVP_PKEY_id(key) != EVP_PKEY_ED25519 ||
      EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(bytes.data()), &length) != 1) {
    return fail(Errc::kCorrupt, "the certificate is not of an Ed25519 key");
  }
  return bytes;
}

std::string name_entry(X509* certificate, int nid) {
  char text[256] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), nid, text, sizeof text);
  return text;
}

std::string first_uri(X509* certificate) {
  const NamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)), static_cast<size_t>(ASN1_STRING_length(uri))};
  }
  return {};
}

int64_t wall_s_of(const ASN1_TIME* time) {
  tm broken{};
  return ASN1_TIME_to_tm(time, &broken) == 1 ? ::timegm(&broken) : 0;
}

std::string serial_of(X509* certificate) {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
  return to_hex(
      {reinterpret_cast<const char*>(ASN1_STRING_get0_data(serial)), static_cast<size_t>(ASN1_STRING_length(serial))});
}

BioPtr memory_bio(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// The authority that has signed it; nullptr when none has.
X509Ptr issuer_of(X509* certificate, const std::string& authorities_pem) {
  const BioPtr bio = memory_bio(authorities_pem);
  for (;;) {
    X509Ptr authority(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!authority) return nullptr;
    const bool is_authority = X509_check_ca(authority.get()) == 1;
    if (is_authority && X509_check_issued(authority.get(), certificate) == X509_V_OK &&
        X509_verify(certificate, X509_get0_pubkey(authority.get())) == 1) {
      return authority;
    }
  }
}

Result<void> check_not_revoked(X509* certificate, X509* authority, const std::string& revocations_pem) {
  const BioPtr bio = memory_bio(revocations_pem);
  for (;;) {
    const CrlPtr list(PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr));
    if (!list) return {};
    if (X509_CRL_verify(list.get(), X509_get0_pubkey(authority)) != 1) continue;
    X509_REVOKED* revoked = nullptr;
    if (X509_CRL_get0_by_serial(list.get(), &revoked, X509_get_serialNumber(certificate)) != 1) continue;
    return fail(Errc::kExpired, fmt::format("the certificate was revoked as of {}",
                                            format_utc(wall_s_of(X509_REVOKED_get0_revocationDate(revoked)))));
  }
}

}  // namespace

Result<std::string> ed25519_key_of(std::string_view der) {
  const Result<X509Ptr> certificate = parse(der);
  if (!certificate) return fail(certificate);
  return key_of(certificate->get());
}

Result<std::string> serial_of_certificate(std::string_view der) {
  const Result<X509Ptr> certificate = parse(der);
  if (!certificate) return fail(certificate);
  return serial_of(certificate->get());
}

Result<SignerCertificate> check_signer(std::string_view der, const Trust& trust) {
  const Result<X509Ptr> certificate = parse(der);
  if (!certificate) return fail(certificate);
  Result<std::string> key = key_of(certificate->get());
  if (!key) return fail(key);
  const X509Ptr authority = issuer_of(certificate->get(), trust.authorities_pem);
  if (!authority) return fail(Errc::kUnauthenticated, "no authority that is trusted has signed the certificate");
  if (Result<void> valid = check_not_revoked(certificate->get(), authority.get(), trust.revocations_pem); !valid) {
    return fail(valid);
  }
  return SignerCertificate{.public_key = std::move(*key),
                           .common_name = name_entry(certificate->get(), NID_commonName),
                           .unit = name_entry(certificate->get(), NID_organizationalUnitName),
                           .uri = first_uri(certificate->get()),
                           .not_before_wall_s = wall_s_of(X509_get0_notBefore(certificate->get())),
                           .not_after_wall_s = wall_s_of(X509_get0_notAfter(certificate->get())),
                           .serial = serial_of(certificate->get())};
}

}  // namespace cairn::recorder
