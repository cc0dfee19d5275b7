#include "agent/session/ssh_signature.h"

#include <array>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "base/free_with.h"
#include "base/ssh_wire.h"

namespace cairn::agent {
namespace {

constexpr int kMinRsaBits = 2048;  // as OpenSSH's RequiredRSASize would have it, doubled
constexpr int kMaxRsaBits = 16384;
constexpr size_t kEd25519KeyBytes = 32;
constexpr size_t kEd25519SignatureBytes = 64;

using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using ParameterBuilder = std::unique_ptr<OSSL_PARAM_BLD, FreeWith<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, FreeWith<OSSL_PARAM_free>>;
using Number = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>>;

struct Curve {
  std::string_view type;  // of the key and of its signatures
  std::string_view name;  // inside the blob
  const char* group;      // OpenSSL's
  size_t field_bytes;
  const EVP_MD* (*digest)();
};
constexpr std::array kCurves = {
    Curve{"ecdsa-sha2-nistp256", "nistp256", "P-256", 32, &EVP_sha256},
    Curve{"ecdsa-sha2-nistp384", "nistp384", "P-384", 48, &EVP_sha384},
    Curve{"ecdsa-sha2-nistp521", "nistp521", "P-521", 66, &EVP_sha512},
};

const Curve* find_curve(std::string_view type) {
  for (const Curve& curve : kCurves) {
    if (curve.type == type) return &curve;
  }
  return nullptr;
}

const unsigned char* octets(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

Number number(std::string_view big_endian) {
  return Number(BN_bin2bn(octets(big_endian), static_cast<int>(big_endian.size()), nullptr));
}

Result<Key> build_key(const char* algorithm, OSSL_PARAM_BLD* builder) {
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, algorithm, nullptr));
  EVP_PKEY* key = nullptr;
  if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    return fail(Errc::kInvalid, fmt::format("not a valid {} public key", algorithm));
  }
  return Key(key);
}

Result<Key> read_ed25519(SshReader& reader) {
  const Result<std::string_view> point = reader.string();
  if (!point) return fail(point, "Ed25519 key");
  if (point->size() != kEd25519KeyBytes)
    return fail(Errc::kInvalid, fmt::format("Ed25519 key of {} bytes instead of 32", point->size()));
  Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets(*point), point->size()));
  if (!key) return fail(Errc::kInvalid, "not a valid Ed25519 public key");
  return key;
}

Result<Key> read_ecdsa(SshReader& reader, const Curve& curve) {
  const Result<std::string_view> name = reader.string();
  if (!name) return fail(name, "ECDSA curve");
  if (*name != curve.name) return fail(Errc::kInvalid, "the ECDSA key's curve is not that of its type");
  const Result<std::string_view> point = reader.string();
  if (!point) return fail(point, "ECDSA point");
  // 4: uncompressed, the only form of RFC 5656 §3.1 that OpenSSH writes.
  if (point->size() != 1 + 2 * curve.field_bytes || point->front() != 4)
    return fail(Errc::kInvalid, "the ECDSA key's point is not of its curve's size");
  const ParameterBuilder builder(OSSL_PARAM_BLD_new());
  if (!builder || OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.group, 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point->data(), point->size()) != 1) {
    return fail(Errc::kInternal, "OpenSSL took no parameters of an ECDSA key");
  }
  return build_key("EC", builder.get());
}

Result<Key> read_rsa(SshReader& reader) {
  const Result<std::string_view> exponent = reader.mpint();
  if (!exponent) return fail(exponent, "RSA exponent");
  const Result<std::string_view> modulus = reader.mpint();
  if (!modulus) return fail(modulus, "RSA modulus");
  if (modulus->size() > kMaxRsaBits / 8 || exponent->size() > modulus->size())
    return fail(Errc::kInvalid, fmt::format("RSA key of more than {} bits", kMaxRsaBits));
  const Number n = number(*modulus);
  const Number e = number(*exponent);
  if (!n || !e) return fail(Errc::kInternal, "OpenSSL made no number");
  if (const int bits = BN_num_bits(n.get()); bits < kMinRsaBits)
    return fail(Errc::kInvalid, fmt::format("RSA key of {} bits; at least {} are asked for", bits, kMinRsaBits));
  const ParameterBuilder builder(OSSL_PARAM_BLD_new());
  if (!builder || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return fail(Errc::kInternal, "OpenSSL took no parameters of an RSA key");
  }
  return build_key("RSA", builder.get());
}

struct TypedKey {
  std::string type;
  Key key;
};

Result<TypedKey> read_key(std::string_view blob) {
  SshReader reader(blob);
  const Result<std::string_view> type = reader.string();
  if (!type) return fail(type, "key type");
  const Curve* curve = find_curve(*type);
  if (curve == nullptr && *type != "ssh-ed25519" && *type != "ssh-rsa") {
    return fail(Errc::kUnsupported, fmt::format("key type {} is not among ssh-ed25519, ecdsa-sha2-nistp256/384/521 "
                                                "and ssh-rsa",
                                                type->substr(0, 64)));
  }
  Result<Key> key = curve != nullptr     ? read_ecdsa(reader, *curve)
                    : *type == "ssh-rsa" ? read_rsa(reader)
                                         : read_ed25519(reader);
  if (!key) return fail(key);
  if (Result<void> finished = reader.finish(); !finished) return fail(finished, "key");
  return TypedKey{.type = std::string(*type), .key = std::move(*key)};
}

// The DER form of an ECDSA signature (RFC 5656 §3.1.2 gives two numbers).
Result<std::string> ecdsa_to_der(std::string_view blob, const Curve& curve) {
  SshReader reader(blob);
  const Result<std::string_view> r = reader.mpint();
  if (!r) return fail(r, "ECDSA signature");
  const Result<std::string_view> s = reader.mpint();
  if (!s) return fail(s, "ECDSA signature");
  if (Result<void> finished = reader.finish(); !finished) return fail(finished, "ECDSA signature");
  if (r->size() > curve.field_bytes || s->size() > curve.field_bytes)
    return fail(Errc::kInvalid, "ECDSA signature larger than its curve");
  Number r_number = number(*r);
  Number s_number = number(*s);
  const EcdsaSignature signature(ECDSA_SIG_new());
  if (!r_number || !s_number || !signature) return fail(Errc::kInternal, "OpenSSL made no ECDSA signature");
  ECDSA_SIG_set0(signature.get(), r_number.release(), s_number.release());
  std::string der(static_cast<size_t>(i2d_ECDSA_SIG(signature.get(), nullptr)), '\0');
  auto* to = reinterpret_cast<unsigned char*>(der.data());
  i2d_ECDSA_SIG(signature.get(), &to);
  return der;
}

// A signature in the form and with the digest that OpenSSL wants.
struct Prepared {
  std::string bytes;
  const EVP_MD* digest;  // none for Ed25519, which has its own
};

Result<Prepared> prepare_rsa(std::string_view type, std::string_view bytes, const EVP_PKEY* key) {
  const bool is_512 = type == "rsa-sha2-512";
  if (!is_512 && type != "rsa-sha2-256")
    return fail(Errc::kInvalid, fmt::format("a signature of type {} by an RSA key", type.substr(0, 64)));
  const auto modulus_bytes = static_cast<size_t>(EVP_PKEY_get_size(key));
  if (bytes.empty() || bytes.size() > modulus_bytes) return fail(Errc::kInvalid, "RSA signature larger than its key");
  // Some write the number without its leading zeros (RFC 8332 §3 allows neither more nor less; OpenSSH accepts it).
  std::string padded(modulus_bytes - bytes.size(), '\0');
  padded.append(bytes);
  return Prepared{.bytes = std::move(padded), .digest = is_512 ? EVP_sha512() : EVP_sha256()};
}

Result<Prepared> prepare(std::string_view signature_blob, const TypedKey& key) {
  SshReader reader(signature_blob);
  const Result<std::string_view> type = reader.string();
  if (!type) return fail(type, "signature type");
  const Result<std::string_view> bytes = reader.string();
  if (!bytes) return fail(bytes, "signature");
  if (Result<void> finished = reader.finish(); !finished) return fail(finished, "signature");
  if (key.type == "ssh-rsa") return prepare_rsa(*type, *bytes, key.key.get());
  if (*type != key.type)
    return fail(Errc::kInvalid,
                fmt::format("a signature of type {} by a key of type {}", type->substr(0, 64), key.type));
  if (const Curve* curve = find_curve(key.type); curve != nullptr) {
    Result<std::string> der = ecdsa_to_der(*bytes, *curve);
    if (!der) return fail(der);
    return Prepared{.bytes = std::move(*der), .digest = curve->digest()};
  }
  if (bytes->size() != kEd25519SignatureBytes) return fail(Errc::kInvalid, "Ed25519 signature not of 64 bytes");
  return Prepared{.bytes = std::string(*bytes), .digest = nullptr};
}

}  // namespace

Result<void> check_ssh_key(std::string_view key_blob) {
  const Result<TypedKey> key = read_key(key_blob);
  if (!key) return fail(key);
  return {};
}

Result<void> verify_ssh_signature(std::string_view key_blob, std::string_view signature_blob,
                                  std::string_view message) {
  const Result<TypedKey> key = read_key(key_blob);
  if (!key) return fail(key);
  const Result<Prepared> signature = prepare(signature_blob, *key);
  if (!signature) return fail(signature);
  const DigestContext context(EVP_MD_CTX_new());
  if (!context || EVP_DigestVerifyInit(context.get(), nullptr, signature->digest, nullptr, key->key.get()) != 1) {
    return fail(Errc::kInternal, "OpenSSL did not begin to verify");
  }
  if (EVP_DigestVerify(context.get(), octets(signature->bytes), signature->bytes.size(), octets(message),
                       message.size()) != 1) {
    return fail(Errc::kDenied, "the signature is wrong");
  }
  return {};
}

}  // namespace cairn::agent
