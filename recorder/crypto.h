#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <openssl/evp.h>

#include "base/result.h"

namespace cairn::recorder {

// The primitives under the recording's encryption and signatures, all of them OpenSSL's. What cannot fail for any input
// aborts when the library refuses (no memory): nothing secret may go on without it.

constexpr size_t kKeyBytes = 32;
constexpr size_t kNonceBytes = 12;
constexpr size_t kTagBytes = 16;
constexpr size_t kSignatureBytes = 64;

// Overwrites the bytes in a way that the compiler keeps.
void wipe(std::string& bytes);

// Bytes that are wiped when their owner goes.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string bytes) : bytes_(std::move(bytes)) {}
  Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) { wipe(other.bytes_); }
  Secret& operator=(Secret&& other) noexcept {
    if (this == &other) return *this;
    wipe(bytes_);
    bytes_ = std::move(other.bytes_);
    wipe(other.bytes_);
    return *this;
  }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { wipe(bytes_); }

  std::string_view view() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }
  Secret copy() const { return Secret(bytes_); }

 private:
  std::string bytes_;
};

// RFC 2104 with SHA-256; 32 bytes.
std::string hmac_sha256(std::string_view key, std::string_view bytes);
// RFC 5869 with SHA-256, extract and expand.
Secret hkdf_sha256(std::string_view secret, std::string_view salt, std::string_view info, size_t bytes);

// SHA-256 of bytes that come in pieces, or HMAC-SHA-256 with a key.
class Digest {
 public:
  explicit Digest(std::string_view key = {});
  void add(std::string_view bytes);
  std::string finish();      // 32 bytes; once
  std::string peek() const;  // what finish() would give now; without a key

 private:
  struct Deleter {
    void operator()(EVP_MAC_CTX* context) const noexcept { EVP_MAC_CTX_free(context); }
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MAC_CTX, Deleter> mac_;  // with a key
  std::unique_ptr<EVP_MD_CTX, Deleter> hash_;  // without
};

enum class Cipher { kChaCha20Poly1305, kAes256Gcm };

// Ciphertext and tag (RFC 8439, NIST SP 800-38D). A key must never meet the same nonce twice.
//   key    kKeyBytes
//   nonce  kNonceBytes
std::string aead_seal(Cipher cipher, std::string_view key, std::string_view nonce, std::string_view plaintext,
                      std::string_view associated = {});
//   fails  kCorrupt: it was not made with this key, nonce and associated data
Result<std::string> aead_open(Cipher cipher, std::string_view key, std::string_view nonce, std::string_view sealed,
                              std::string_view associated = {});

// The plaintext without its proof: for what is left of bytes that were cut.
//   sealed  what is left, without the tag
std::string decrypt_unproved(Cipher cipher, std::string_view key, std::string_view nonce, std::string_view sealed);

struct PkeyDeleter {
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
};
using Pkey = std::unique_ptr<EVP_PKEY, PkeyDeleter>;

// RFC 7748.
class X25519Key {
 public:
  static X25519Key generate();
  //   fails  kInvalid: not 32 bytes
  static Result<X25519Key> from_private(std::string_view bytes);

  std::string public_bytes() const;
  Secret private_bytes() const;
  //   fails  kInvalid: `peer` is not 32 bytes, or a point of low order
  Result<Secret> agree(std::string_view peer) const;

 private:
  explicit X25519Key(Pkey key) : key_(std::move(key)) {}
  Pkey key_;
};

// RFC 8032.
class Ed25519Key {
 public:
  static Ed25519Key generate();
  static Result<Ed25519Key> from_private(std::string_view bytes);

  std::string public_bytes() const;
  Secret private_bytes() const;
  std::string sign(std::string_view message) const;

 private:
  explicit Ed25519Key(Pkey key) : key_(std::move(key)) {}
  Pkey key_;
};

// False, too, when `public_key` is none.
bool verify_ed25519(std::string_view public_key, std::string_view message, std::string_view signature);

}  // namespace cairn::recorder
