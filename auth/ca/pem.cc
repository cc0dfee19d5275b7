#include "auth/ca/pem.h"

#include <climits>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>

namespace cairn::auth {
namespace {

constexpr size_t kMaxDerBytes = 512;  // a P-256 SubjectPublicKeyInfo has 91

std::string contents_of(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return size > 0 ? std::string(data, static_cast<size_t>(size)) : std::string();
}

Result<Bio> reader_of(std::string_view text) {
  if (text.size() > INT_MAX) return fail(Errc::kTooLarge, "text beyond 2 GiB");
  Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  if (!bio) return fail(Errc::kInternal, "OpenSSL gave no memory");
  return bio;
}

}  // namespace

Result<std::string> private_pem(EVP_PKEY* key) {
  // The secure memory BIO is wiped when it is freed.
  const Bio bio(BIO_new(BIO_s_secmem()));
  if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return fail(Errc::kInternal, fmt::format("encode a private key: {}", tunnel::openssl_error()));
  return contents_of(bio);
}

Result<Key> private_key_from_pem(std::string_view pem) {
  const Result<Bio> bio = reader_of(pem);
  if (!bio) return fail(bio);
  Key key(PEM_read_bio_PrivateKey(bio->get(), nullptr, nullptr, nullptr));
  if (!key) return fail(Errc::kCorrupt, fmt::format("no private key in PEM form: {}", tunnel::openssl_error()));
  return key;
}

Result<std::string> certificate_pem(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509(bio.get(), certificate) != 1)
    return fail(Errc::kInternal, fmt::format("encode a certificate: {}", tunnel::openssl_error()));
  return contents_of(bio);
}

Result<Key> p256_from_der(std::string_view der) {
  if (der.empty() || der.size() > kMaxDerBytes)
    return fail(Errc::kInvalid, fmt::format("TLS public key of {} bytes; a P-256 key has 91", der.size()));
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* const end = at + der.size();
  Key key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  if (!key || at != end)
    return fail(Errc::kInvalid, fmt::format("TLS public key is no SubjectPublicKeyInfo: {}", tunnel::openssl_error()));
  char group[32] = {};
  size_t group_chars = 0;
  if (EVP_PKEY_is_a(key.get(), "EC") != 1 ||
      EVP_PKEY_get_group_name(key.get(), group, sizeof group, &group_chars) != 1 ||
      std::string_view(group, group_chars) != "prime256v1") {
    ERR_clear_error();
    return fail(Errc::kInvalid, "TLS public key is not of the curve P-256");
  }
  const KeyContext check(EVP_PKEY_CTX_new(key.get(), nullptr));
  if (!check || EVP_PKEY_public_check(check.get()) != 1)
    return fail(Errc::kInvalid, fmt::format("TLS public key is no point of P-256: {}", tunnel::openssl_error()));
  return key;
}

}  // namespace cairn::auth
