#include "tests/support/test_ca.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/bytes.h"

namespace cairn::testing_support {
namespace {

using tunnel::EvpPkey;
using tunnel::X509Certificate;

void must(bool held, const char* what) {
  if (held) return;
  std::fprintf(stderr, "TestCa: %s: %s\n", what, tunnel::openssl_error().c_str());
  std::abort();
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  must(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1, value.c_str());
}

X509Certificate blank(EVP_PKEY* key, const std::string& name, int64_t not_before_s, int64_t not_after_s) {
  X509Certificate certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  std::unique_ptr<BIGNUM, FreeWith<BN_free>> serial(BN_new());
  BN_rand(serial.get(), 120, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY);
  BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate.get()));
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), not_before_s);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), not_after_s);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return certificate;
}

std::string pem_of(X509* certificate) {
  std::unique_ptr<BIO, FreeWith<BIO_free>> bio(BIO_new(BIO_s_mem()));
  must(PEM_write_bio_X509(bio.get(), certificate) == 1, "write certificate");
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<size_t>(bytes)};
}

}  // namespace

TestCa::Authority TestCa::make_authority(const std::string& name) {
  Authority authority{.key = EvpPkey(EVP_EC_gen("P-256")), .pem = {}};
  X509Certificate certificate = blank(authority.key.get(), name, -3600, 86400);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get()));
  add_extension(certificate.get(), certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate.get(), certificate.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  must(X509_sign(certificate.get(), authority.key.get(), EVP_sha256()) > 0, "sign authority");
  authority.pem = pem_of(certificate.get());
  return authority;
}

TestCa::TestCa(std::string cluster)
    : cluster_(std::move(cluster)),
      host_(make_authority(cluster_ + " host CA " + random_uuid())),
      user_(make_authority(cluster_ + " user CA " + random_uuid())) {}

std::string TestCa::certificate(const Subject& subject, const std::string& public_der, bool is_crossed) const {
  const auto* der = reinterpret_cast<const unsigned char*>(public_der.data());
  const EvpPkey key(d2i_PUBKEY(nullptr, &der, static_cast<long>(public_der.size())));
  must(key != nullptr, "public key");
  const bool by_user_ca = (subject.role == tunnel::Role::kUser) != is_crossed;
  const Authority& authority = by_user_ca ? user_ : host_;
  Result<X509Certificate> issuer = tunnel::parse_certificate(authority.pem);
  X509Certificate certificate = blank(key.get(), subject.id, subject.not_before_s, subject.not_after_s);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer->get()));
  tunnel::Peer peer;
  peer.role = subject.role;
  peer.cluster = subject.cluster.empty() ? cluster_ : subject.cluster;
  peer.id = subject.id;
  std::string names = "URI:" + tunnel::role_uri(peer);
  if (!subject.name.empty()) names += ",DNS:" + subject.name;
  add_extension(certificate.get(), issuer->get(), NID_subject_alt_name, names);
  must(X509_sign(certificate.get(), authority.key.get(), EVP_sha256()) > 0, "sign");
  return pem_of(certificate.get());
}

std::shared_ptr<const tunnel::Identity> TestCa::identity(const Subject& subject, bool is_crossed) const {
  const Result<tunnel::KeyPair> key = tunnel::generate_tls_key();
  must(bool(key), "key");
  Result<tunnel::Identity> made =
      tunnel::make_identity(key->private_pem, certificate(subject, key->public_der, is_crossed), authorities());
  if (!made) std::fprintf(stderr, "TestCa: %s\n", made.error().message.c_str());
  must(bool(made), "identity");
  return std::make_shared<const tunnel::Identity>(std::move(*made));
}

std::shared_ptr<const tunnel::Identity> TestCa::usual(tunnel::Role role, std::string id, std::string name,
                                                      Validity validity) const {
  const Subject subject{.role = role,
                        .id = std::move(id),
                        .name = std::move(name),
                        .not_before_s = validity.from_s,
                        .not_after_s = validity.until_s};
  return identity(subject);
}

std::shared_ptr<const tunnel::Identity> TestCa::auth(Validity validity) const {
  return usual(tunnel::Role::kAuth, "", "", validity);
}

std::shared_ptr<const tunnel::Identity> TestCa::proxy(const std::string& name, Validity validity) const {
  return usual(tunnel::Role::kProxy, random_uuid(), name, validity);
}

std::shared_ptr<const tunnel::Identity> TestCa::node(const std::string& name, Validity validity) const {
  return usual(tunnel::Role::kNode, random_uuid(), name, validity);
}

std::shared_ptr<const tunnel::Identity> TestCa::user(const std::string& name, Validity validity) const {
  return usual(tunnel::Role::kUser, name, "", validity);
}

enroll::v1::Authorities TestCa::authorities() const {
  enroll::v1::Authorities authorities;
  authorities.set_host_ca(host_.pem);
  authorities.set_user_ca(user_.pem);
  return authorities;
}

std::string TestCa::pin() const { return tunnel::ca_pin_of(tunnel::parse_certificate(host_.pem)->get()); }

}  // namespace cairn::testing_support
