#include "recorder/crypto.h"

#include <utility>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "base/free_with.h"
#include "base/must.h"

namespace cairn::recorder {
namespace {

using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeWith<EVP_CIPHER_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using Mac = std::unique_ptr<EVP_MAC, FreeWith<EVP_MAC_free>>;
using Kdf = std::unique_ptr<EVP_KDF, FreeWith<EVP_KDF_free>>;
using KdfContext = std::unique_ptr<EVP_KDF_CTX, FreeWith<EVP_KDF_CTX_free>>;

unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
int length_of(std::string_view text) { return static_cast<int>(text.size()); }

const EVP_CIPHER* algorithm(Cipher cipher) {
  return cipher == Cipher::kAes256Gcm ? EVP_aes_256_gcm() : EVP_chacha20_poly1305();
}

OSSL_PARAM octets(const char* name, std::string_view value) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<char*>(value.data()), value.size());
}

Pkey generate(const char* type) {
  Pkey key(EVP_PKEY_Q_keygen(nullptr, nullptr, type));
  must(key != nullptr);
  return key;
}

Result<Pkey> private_key(int type, std::string_view bytes) {
  Pkey key(EVP_PKEY_new_raw_private_key(type, nullptr, bytes_of(bytes), bytes.size()));
  if (bytes.size() != kKeyBytes || !key) return fail(Errc::kInvalid, "not a private key of 32 bytes");
  return key;
}

std::string public_bytes_of(const Pkey& key) {
  std::string bytes(kKeyBytes, '\0');
  size_t length = bytes.size();
  must(EVP_PKEY_get_raw_public_key(key.get(), bytes_of(bytes), &length) == 1 && length == kKeyBytes);
  return bytes;
}

Secret private_bytes_of(const Pkey& key) {
  std::string bytes(kKeyBytes, '\0');
  size_t length = bytes.size();
  must(EVP_PKEY_get_raw_private_key(key.get(), bytes_of(bytes), &length) == 1 && length == kKeyBytes);
  return Secret(std::move(bytes));
}

}  // namespace

void wipe(std::string& bytes) {
  if (!bytes.empty()) OPENSSL_cleanse(bytes.data(), bytes.size());
  bytes.clear();
}

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
  std::string mac(kKeyBytes, '\0');
  must(HMAC(EVP_sha256(), key.data(), length_of(key), bytes_of(bytes), bytes.size(), bytes_of(mac), nullptr) !=
       nullptr);
  return mac;
}

Digest::Digest(std::string_view key) {
  if (key.empty()) {
    hash_.reset(EVP_MD_CTX_new());
    must(hash_ && EVP_DigestInit_ex(hash_.get(), EVP_sha256(), nullptr) == 1);
    return;
  }
  const Mac mac(EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr));
  mac_.reset(EVP_MAC_CTX_new(mac.get()));
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
  must(mac_ && EVP_MAC_init(mac_.get(), bytes_of(key), key.size(), parameters) == 1);
}

void Digest::add(std::string_view bytes) {
  must(mac_ ? EVP_MAC_update(mac_.get(), bytes_of(bytes), bytes.size()) == 1
            : EVP_DigestUpdate(hash_.get(), bytes.data(), bytes.size()) == 1);
}

std::string Digest::peek() const {
  const DigestContext copy(EVP_MD_CTX_new());
  std::string digest(kKeyBytes, '\0');
  must(copy && hash_ && EVP_MD_CTX_copy_ex(copy.get(), hash_.get()) == 1 &&
       EVP_DigestFinal_ex(copy.get(), bytes_of(digest), nullptr) == 1);
  return digest;
}

std::string Digest::finish() {
  std::string digest(kKeyBytes, '\0');
  size_t length = digest.size();
  must(mac_ ? EVP_MAC_final(mac_.get(), bytes_of(digest), &length, digest.size()) == 1
            : EVP_DigestFinal_ex(hash_.get(), bytes_of(digest), nullptr) == 1);
  return digest;
}

Secret hkdf_sha256(std::string_view secret, std::string_view salt, std::string_view info, size_t bytes) {
  const Kdf kdf(EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_HKDF, nullptr));
  const KdfContext context(EVP_KDF_CTX_new(kdf.get()));
  must(context != nullptr);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                                   octets(OSSL_KDF_PARAM_KEY, secret), octets(OSSL_KDF_PARAM_SALT, salt),
                                   octets(OSSL_KDF_PARAM_INFO, info), OSSL_PARAM_construct_end()};
  std::string derived(bytes, '\0');
  must(EVP_KDF_derive(context.get(), bytes_of(derived), derived.size(), parameters) == 1);
  return Secret(std::move(derived));
}

std::string aead_seal(Cipher cipher, std::string_view key, std::string_view nonce, std::string_view plaintext,
                      std::string_view associated) {
  must(key.size() == kKeyBytes && nonce.size() == kNonceBytes);
  const CipherContext context(EVP_CIPHER_CTX_new());
  must(context && EVP_EncryptInit_ex(context.get(), algorithm(cipher), nullptr, bytes_of(key), bytes_of(nonce)) == 1);
  std::string sealed(plaintext.size() + kTagBytes, '\0');
  int done = 0;
  must(associated.empty() ||
       EVP_EncryptUpdate(context.get(), nullptr, &done, bytes_of(associated), length_of(associated)) == 1);
  must(EVP_EncryptUpdate(context.get(), bytes_of(sealed), &done, bytes_of(plaintext), length_of(plaintext)) == 1);
  int rest = 0;
  must(EVP_EncryptFinal_ex(context.get(), bytes_of(sealed) + done, &rest) == 1);
  must(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, bytes_of(sealed) + plaintext.size()) == 1);
  return sealed;
}

Result<std::string> aead_open(Cipher cipher, std::string_view key, std::string_view nonce, std::string_view sealed,
                              std::string_view associated) {
  must(key.size() == kKeyBytes && nonce.size() == kNonceBytes);
  if (sealed.size() < kTagBytes) return fail(Errc::kCorrupt, "encrypted bytes end inside their tag");
  const CipherContext context(EVP_CIPHER_CTX_new());
  must(context && EVP_DecryptInit_ex(context.get(), algorithm(cipher), nullptr, bytes_of(key), bytes_of(nonce)) == 1);
  const std::string_view body = sealed.substr(0, sealed.size() - kTagBytes);
  std::string tag(sealed.substr(body.size()));
  std::string plaintext(body.size(), '\0');
  int done = 0;
  must(associated.empty() ||
       EVP_DecryptUpdate(context.get(), nullptr, &done, bytes_of(associated), length_of(associated)) == 1);
  must(EVP_DecryptUpdate(context.get(), bytes_of(plaintext), &done, bytes_of(body), length_of(body)) == 1);
  must(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) == 1);
  int rest = 0;
  if (EVP_DecryptFinal_ex(context.get(), bytes_of(plaintext) + done, &rest) != 1) {
    return fail(Errc::kCorrupt, "encrypted bytes were altered, or belong to another key");
  }
  return plaintext;
}

std::string decrypt_unproved(Cipher cipher, std::string_view key, std::string_view nonce, std::string_view sealed) {
  must(key.size() == kKeyBytes && nonce.size() == kNonceBytes);
  // RFC 8439 §2.8: the text's key stream begins with block 1; SP 800-38D §7.1: with block 2, counted behind the nonce.
  const bool is_chacha = cipher == Cipher::kChaCha20Poly1305;
  const std::string start =
      is_chacha ? std::string("\x01\0\0\0", 4) + std::string(nonce) : std::string(nonce) + std::string("\0\0\0\x02", 4);
  const CipherContext context(EVP_CIPHER_CTX_new());
  must(context && EVP_DecryptInit_ex(context.get(), is_chacha ? EVP_chacha20() : EVP_aes_256_ctr(), nullptr,
                                     bytes_of(key), bytes_of(std::string_view(start))) == 1);
  std::string plaintext(sealed.size(), '\0');
  int done = 0;
  must(EVP_DecryptUpdate(context.get(), bytes_of(plaintext), &done, bytes_of(sealed), length_of(sealed)) == 1);
  return plaintext;
}

X25519Key X25519Key::generate() { return X25519Key(recorder::generate("X25519")); }

Result<X25519Key> X25519Key::from_private(std::string_view bytes) {
  Result<Pkey> key = private_key(EVP_PKEY_X25519, bytes);
  if (!key) return fail(key);
  return X25519Key(std::move(*key));
}

std::string X25519Key::public_bytes() const { return public_bytes_of(key_); }
Secret X25519Key::private_bytes() const { return private_bytes_of(key_); }

Result<Secret> X25519Key::agree(std::string_view peer) const {
  if (peer.size() != kKeyBytes) return fail(Errc::kInvalid, "not a public key of 32 bytes");
  const Pkey other(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, bytes_of(peer), peer.size()));
  const KeyContext context(EVP_PKEY_CTX_new(key_.get(), nullptr));
  must(other && context && EVP_PKEY_derive_init(context.get()) == 1);
  std::string shared(kKeyBytes, '\0');
  size_t length = shared.size();
  // OpenSSL refuses a result of zeros itself (RFC 7748 §6.1).
  if (EVP_PKEY_derive_set_peer(context.get(), other.get()) != 1 ||
      EVP_PKEY_derive(context.get(), bytes_of(shared), &length) != 1) {
    return fail(Errc::kInvalid, "a public key of low order");
  }
  return Secret(std::move(shared));
}

Ed25519Key Ed25519Key::generate() { return Ed25519Key(recorder::generate("ED25519")); }

Result<Ed25519Key> Ed25519Key::from_private(std::string_view bytes) {
  Result<Pkey> key = private_key(EVP_PKEY_ED25519, bytes);
  if (!key) return fail(key);
  return Ed25519Key(std::move(*key));
}

std::string Ed25519Key::public_bytes() const { return public_bytes_of(key_); }
Secret Ed25519Key::private_bytes() const { return private_bytes_of(key_); }

std::string Ed25519Key::sign(std::string_view message) const {
  const DigestContext context(EVP_MD_CTX_new());
  must(context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1);
  std::string signature(kSignatureBytes, '\0');
  size_t length = signature.size();
  must(EVP_DigestSign(context.get(), bytes_of(signature), &length, bytes_of(message), message.size()) == 1);
  return signature;
}

bool verify_ed25519(std::string_view public_key, std::string_view message, std::string_view signature) {
  if (public_key.size() != kKeyBytes || signature.size() != kSignatureBytes) return false;
  const Pkey key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(public_key), public_key.size()));
  const DigestContext context(EVP_MD_CTX_new());
  if (!key || !context || EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1) return false;
  return EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(message), message.size()) == 1;
}

}  // namespace cairn::recorder
