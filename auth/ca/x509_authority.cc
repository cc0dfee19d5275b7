#include "auth/ca/x509_authority.h"

#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include "auth/ca/pem.h"
#include "base/bytes.h"
#include "base/file.h"

namespace cairn::auth {
namespace {

constexpr int64_t kAuthorityLifeS = int64_t{10} * 365 * 86'400;
constexpr int64_t kRevocationsLifeS = int64_t{7} * 86'400;
constexpr int64_t kBackdateS = 60;
constexpr size_t kMaxPemBytes = 64 * 1024;
constexpr size_t kSerialBytes = 16;

Failure refused(std::string_view what) {
  return fail(Errc::kInternal, fmt::format("make a certificate: {}: {}", what, tunnel::openssl_error()));
}

bool set_serial(X509* certificate) {
  std::string bytes = random_bytes(kSerialBytes);
  bytes[0] = static_cast<char>(bytes[0] & 0x7f);  // positive (RFC 5280 §4.1.2.2)
  const BigNumber number(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()), kSerialBytes, nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_times(X509* certificate, int64_t not_before_wall_s, int64_t not_after_wall_s) {
  return ASN1_TIME_set(X509_getm_notBefore(certificate), static_cast<time_t>(not_before_wall_s)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), static_cast<time_t>(not_after_wall_s)) != nullptr;
}

bool add_name_entry(X509_NAME* name, int nid, const std::string& text) {
  constexpr size_t kMaxNameBytes = 64;  // ub-common-name, ub-organizational-unit-name
  const std::string cut = text.substr(0, kMaxNameBytes);
  return X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(cut.data()),
                                    static_cast<int>(cut.size()), -1, 0) == 1;
}

bool add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

// Made by hand and not from a configuration string, in which a comma in a name would begin another SAN.
bool add_name(GENERAL_NAMES* names, int type, const std::string& text) {
  std::unique_ptr<GENERAL_NAME, FreeWith<GENERAL_NAME_free>> name(GENERAL_NAME_new());
  std::unique_ptr<ASN1_IA5STRING, FreeWith<ASN1_IA5STRING_free>> value(ASN1_IA5STRING_new());
  if (!name || !value || ASN1_STRING_set(value.get(), text.data(), static_cast<int>(text.size())) != 1) return false;
  GENERAL_NAME_set0_value(name.get(), type, value.release());
  if (sk_GENERAL_NAME_push(names, name.get()) <= 0) return false;
  (void)name.release();  // the list owns it now
  return true;
}

bool add_alternative_names(X509* certificate, const CertificateOrder& order) {
  const GeneralNames names(sk_GENERAL_NAME_new_null());
  return names && add_name(names.get(), GEN_URI, order.uri) &&
         (order.dns.empty() || add_name(names.get(), GEN_DNS, order.dns)) &&
         X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) == 1;
}

Result<Certificate> self_signed(EVP_PKEY* key, const std::string& common_name, int64_t now_wall_s) {
  Certificate made(X509_new());
  if (!made || X509_set_version(made.get(), X509_VERSION_3) != 1 || !set_serial(made.get()) ||
      !set_times(made.get(), now_wall_s - kBackdateS, now_wall_s + kAuthorityLifeS))
    return refused("serial and validity");
  if (!add_name_entry(X509_get_subject_name(made.get()), NID_commonName, common_name) ||
      X509_set_issuer_name(made.get(), X509_get_subject_name(made.get())) != 1 || X509_set_pubkey(made.get(), key) != 1)
    return refused("name and key");
  if (!add_extension(made.get(), made.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add_extension(made.get(), made.get(), NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !add_extension(made.get(), made.get(), NID_subject_key_identifier, "hash"))
    return refused("extensions");
  if (X509_sign(made.get(), key, EVP_sha256()) == 0) return refused("signature");
  return made;
}

Result<Key> make_key(const std::filesystem::path& path) {
  Key key(EVP_EC_gen("P-256"));
  if (!key) return fail(Errc::kInternal, fmt::format("make a P-256 key: {}", tunnel::openssl_error()));
  Result<std::string> pem = private_pem(key.get());
  if (!pem) return fail(pem);
  const Result<void> written = write_file_atomically(path, *pem, 0600);
  OPENSSL_cleanse(pem->data(), pem->size());
  if (!written) return fail(written);
  return key;
}

Result<Key> read_key(const std::filesystem::path& path) {
  Result<std::string> pem = read_private_file(path, kMaxPemBytes);
  if (!pem) return fail(pem);
  Result<Key> key = private_key_from_pem(*pem);
  OPENSSL_cleanse(pem->data(), pem->size());
  if (!key) return fail(key, path.string());
  return key;
}

Result<std::string> make_certificate(const std::filesystem::path& path, EVP_PKEY* key, const std::string& common_name,
                                     int64_t now_wall_s) {
  const Result<Certificate> made = self_signed(key, common_name, now_wall_s);
  if (!made) return fail(made);
  Result<std::string> pem = certificate_pem(made->get());
  if (!pem) return pem;
  if (const Result<void> written = write_file_atomically(path, *pem, 0644); !written) return fail(written);
  return pem;
}

Result<bool> is_there(const std::filesystem::path& path) {
  std::error_code error;
  const bool found = std::filesystem::exists(path, error);
  if (error) return fail(error, fmt::format("look for {}: {}", path.string(), error.message()));
  return found;
}

}  // namespace

Result<X509Authority> X509Authority::open(const std::filesystem::path& folder, const std::string& name,
                                          const std::string& common_name, int64_t now_wall_s) {
  const std::filesystem::path key_path = folder / (name + ".key");
  const std::filesystem::path certificate_path = folder / (name + ".pem");
  const Result<bool> has_key = is_there(key_path);
  if (!has_key) return fail(has_key);
  const Result<bool> has_certificate = is_there(certificate_path);
  if (!has_certificate) return fail(has_certificate);
  if (*has_certificate && !*has_key) {
    return fail(Errc::kCorrupt, fmt::format("{} is there and its key {} is not; restore both from the backup",
                                            certificate_path.string(), key_path.string()));
  }
  Result<Key> key = *has_key ? read_key(key_path) : make_key(key_path);
  if (!key) return fail(key);
  Result<std::string> pem = *has_certificate ? read_file(certificate_path, kMaxPemBytes)
                                             : make_certificate(certificate_path, key->get(), common_name, now_wall_s);
  if (!pem) return fail(pem);
  Result<Certificate> certificate = tunnel::parse_certificate(*pem);
  if (!certificate) return fail(certificate, certificate_path.string());
  if (X509_check_private_key(certificate->get(), key->get()) != 1) {
    return fail(Errc::kCorrupt, fmt::format("{} and {} do not belong together; restore both from the backup",
                                            key_path.string(), certificate_path.string()));
  }
  return X509Authority(std::move(*key), std::move(*certificate), std::move(*pem));
}

Result<Certificate> X509Authority::make(EVP_PKEY* subject, const CertificateOrder& order, const char* purposes) const {
  Certificate made(X509_new());
  if (!made || X509_set_version(made.get(), X509_VERSION_3) != 1 || !set_serial(made.get()) ||
      !set_times(made.get(), order.not_before_wall_s - kBackdateS, order.not_after_wall_s))
    return refused("serial and validity");
  X509_NAME* name = X509_get_subject_name(made.get());
  if ((!order.unit.empty() && !add_name_entry(name, NID_organizationalUnitName, order.unit)) ||
      !add_name_entry(name, NID_commonName, order.common_name) ||
      X509_set_issuer_name(made.get(), X509_get_subject_name(certificate_.get())) != 1 ||
      X509_set_pubkey(made.get(), subject) != 1)
    return refused("name and key");
  if (!add_extension(made.get(), certificate_.get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(made.get(), certificate_.get(), NID_key_usage, "critical,digitalSignature") ||
      !add_extension(made.get(), certificate_.get(), NID_ext_key_usage, purposes) ||
      !add_extension(made.get(), certificate_.get(), NID_authority_key_identifier, "keyid:always") ||
      !add_alternative_names(made.get(), order))
    return refused("extensions");
  if (X509_sign(made.get(), key_.get(), EVP_sha256()) == 0) return refused("signature");
  return made;
}

Result<std::string> X509Authority::issue(const std::string& public_key, const CertificateOrder& order) const {
  const Result<Key> subject = p256_from_der(public_key);
  if (!subject) return fail(subject);
  const Result<Certificate> made =
      make(subject->get(), order, order.is_server ? "serverAuth,clientAuth" : "clientAuth");
  if (!made) return fail(made);
  return certificate_pem(made->get());
}

Result<std::string> X509Authority::issue_signer(const std::string& ed25519_public_key,
                                                const CertificateOrder& order) const {
  constexpr size_t kEd25519Bytes = 32;
  const Key subject(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr,
                                                reinterpret_cast<const unsigned char*>(ed25519_public_key.data()),
                                                ed25519_public_key.size()));
  if (ed25519_public_key.size() != kEd25519Bytes || !subject) return fail(Errc::kInvalid, "not an Ed25519 key");
  const Result<Certificate> made = make(subject.get(), order, "1.3.6.1.5.5.7.3.36");
  if (!made) return fail(made);
  unsigned char* der = nullptr;
  const int length = i2d_X509(made->get(), &der);
  if (length <= 0) return refused("encoding");
  std::string bytes(reinterpret_cast<const char*>(der), static_cast<size_t>(length));
  OPENSSL_free(der);
  return bytes;
}

Result<std::string> X509Authority::revocations(const std::vector<Revoked>& revoked, int64_t now_wall_s) const {
  const std::unique_ptr<X509_CRL, FreeWith<X509_CRL_free>> list(X509_CRL_new());
  const std::unique_ptr<ASN1_TIME, FreeWith<ASN1_TIME_free>> now(ASN1_TIME_set(nullptr, now_wall_s));
  const std::unique_ptr<ASN1_TIME, FreeWith<ASN1_TIME_free>> next(
      ASN1_TIME_set(nullptr, now_wall_s + kRevocationsLifeS));
  if (!list || !now || !next || X509_CRL_set_version(list.get(), X509_CRL_VERSION_2) != 1 ||
      X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(certificate_.get())) != 1 ||
      X509_CRL_set1_lastUpdate(list.get(), now.get()) != 1 || X509_CRL_set1_nextUpdate(list.get(), next.get()) != 1)
    return refused("list of revocations");
  for (const Revoked& each : revoked) {
    std::unique_ptr<X509_REVOKED, FreeWith<X509_REVOKED_free>> entry(X509_REVOKED_new());
    BIGNUM* parsed = nullptr;
    BN_hex2bn(&parsed, each.serial.c_str());
    const BigNumber number(parsed);
    const std::unique_ptr<ASN1_INTEGER, FreeWith<ASN1_INTEGER_free>> serial(
        number ? BN_to_ASN1_INTEGER(number.get(), nullptr) : nullptr);
    const std::unique_ptr<ASN1_TIME, FreeWith<ASN1_TIME_free>> since(ASN1_TIME_set(nullptr, each.since_wall_s));
    if (!entry || !serial || !since || X509_REVOKED_set_serialNumber(entry.get(), serial.get()) != 1 ||
        X509_REVOKED_set_revocationDate(entry.get(), since.get()) != 1 ||
        X509_CRL_add0_revoked(list.get(), entry.get()) != 1)
      return refused("list of revocations");
    (void)entry.release();  // the list owns it now
  }
  if (X509_CRL_sort(list.get()) != 1 || X509_CRL_sign(list.get(), key_.get(), EVP_sha256()) == 0)
    return refused("signature of the list of revocations");
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509_CRL(bio.get(), list.get()) != 1) return refused("list of revocations");
  char* text = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &text);
  return std::string(text, static_cast<size_t>(length));
}

std::string X509Authority::pin() const { return tunnel::ca_pin_of(certificate_.get()); }

}  // namespace cairn::auth
