#include "auth/ca/ssh_certificate.h"

#include <array>
#include <memory>

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/objects.h>

#include "auth/ca/openssl_types.h"
#include "auth/ca/pem.h"
#include "base/bytes.h"

namespace cairn::auth {
namespace {

constexpr std::string_view kCertificateSuffix = "-cert-v01@openssh.com";
constexpr uint32_t kUserCertificate = 1;
constexpr size_t kNonceBytes = 32;
constexpr size_t kEd25519Bytes = 32;
constexpr size_t kMaxPrincipals = 1024;
// In the order that the format demands.
constexpr std::array<std::string_view, 4> kExtensions = {"permit-X11-forwarding", "permit-agent-forwarding",
                                                         "permit-port-forwarding", "permit-pty"};

struct Curve {
  std::string_view type;
  std::string_view name;
  int nid;
};
constexpr std::array<Curve, 3> kCurves = {{{"ecdsa-sha2-nistp256", "nistp256", NID_X9_62_prime256v1},
                                           {"ecdsa-sha2-nistp384", "nistp384", NID_secp384r1},
                                           {"ecdsa-sha2-nistp521", "nistp521", NID_secp521r1}}};

const Curve* curve_of(std::string_view type) {
  for (const Curve& curve : kCurves) {
    if (curve.type == type) return &curve;
  }
  return nullptr;
}

Failure weak(std::string_view why) { return fail(Errc::kInvalid, fmt::format("SSH public key: {}", why)); }

Result<void> check_point(const Curve& curve, std::string_view named, std::string_view point) {
  if (named != curve.name) return weak("it names one curve in its type and another inside");
  std::unique_ptr<EC_GROUP, FreeWith<EC_GROUP_free>> group(EC_GROUP_new_by_curve_name(curve.nid));
  if (!group) return fail(Errc::kInternal, tunnel::openssl_error());
  std::unique_ptr<EC_POINT, FreeWith<EC_POINT_free>> read(EC_POINT_new(group.get()));
  // Refuses points that are not on the curve. Uncompressed only (RFC 5656 §3.1 allows others; OpenSSH does not).
  const bool is_on_curve =
      read && point.starts_with('\x04') &&
      EC_POINT_oct2point(group.get(), read.get(), reinterpret_cast<const unsigned char*>(point.data()), point.size(),
                         nullptr) == 1 &&
      EC_POINT_is_at_infinity(group.get(), read.get()) == 0;
  if (!is_on_curve) {
    tunnel::openssl_error();
    return weak("it holds no point of its curve");
  }
  return {};
}

size_t bits_of(std::string_view big_endian) {
  if (big_endian.empty()) return 0;
  size_t bits = big_endian.size() * 8;
  for (unsigned mask = 0x80; mask != 0 && (static_cast<unsigned char>(big_endian.front()) & mask) == 0; mask >>= 1)
    --bits;
  return bits;
}

Result<void> check_rsa(std::string_view exponent, std::string_view modulus) {
  constexpr size_t kLeastBits = 2048;
  constexpr size_t kMostBits = 16384;
  const size_t bits = bits_of(modulus);
  if (bits < kLeastBits || bits > kMostBits)
    return weak(fmt::format("RSA of {} bits; {} to {} are accepted, Ed25519 is better", bits, kLeastBits, kMostBits));
  const bool is_odd = !exponent.empty() && (static_cast<unsigned char>(exponent.back()) & 1) != 0;
  if (!is_odd || bits_of(exponent) < 2) return weak("its RSA exponent is none");
  return {};
}

Result<void> check_ed25519(SshReader& reader) {
  const Result<std::string_view> key = reader.string();
  if (!key || key->size() != kEd25519Bytes) return weak("an Ed25519 key has 32 bytes");
  return reader.finish() ? Result<void>() : weak("bytes follow the key");
}

Result<void> check_ecdsa(SshReader& reader, const Curve& curve) {
  const Result<std::string_view> name = reader.string();
  const Result<std::string_view> point = reader.string();
  if (!name || !point || !reader.finish()) return weak("it is cut, or bytes follow the key");
  return check_point(curve, *name, *point);
}

Result<void> check_rsa(SshReader& reader) {
  const Result<std::string_view> exponent = reader.mpint();
  const Result<std::string_view> modulus = reader.mpint();
  if (!exponent || !modulus || !reader.finish()) return weak("it is cut, or bytes follow the key");
  return check_rsa(*exponent, *modulus);
}

// How many fields of the key stand between nonce and serial; 0 for a type that we do not issue.
int key_fields(std::string_view type) {
  if (type == "ssh-ed25519") return 1;
  if (type == "ssh-rsa" || curve_of(type) != nullptr) return 2;
  return 0;
}

std::string extensions() {
  SshWriter list;
  for (const std::string_view name : kExtensions) {
    list.put_string(name);
    list.put_string("");
  }
  return list.bytes();
}

Result<std::vector<std::string>> parse_principals(std::string_view packed) {
  std::vector<std::string> principals;
  SshReader reader(packed);
  while (!reader.empty()) {
    const Result<std::string_view> principal = reader.string();
    if (!principal) return fail(principal, "principals");
    if (principals.size() == kMaxPrincipals) return fail(Errc::kInvalid, "too many principals");
    principals.emplace_back(*principal);
  }
  return principals;
}

Failure no_certificate(std::string_view why) {
  return fail(Errc::kInvalid, fmt::format("not a certificate of this cluster: {}", why));
}

// From the signature key on: its blob, then the signature over all before.
Result<void> parse_signature(std::string_view blob, SshReader& reader, SshCertificateView& view) {
  const Result<std::string_view> authority = reader.string();
  if (!authority) return no_certificate("it is cut");
  view.authority_blob = *authority;
  view.signed_bytes = blob.substr(0, reader.offset());
  const Result<std::string_view> signature = reader.string();
  if (!signature || !reader.finish()) return no_certificate("it is cut, or bytes follow it");
  SshReader inside(*signature);
  const Result<std::string_view> type = inside.string();
  const Result<std::string_view> bytes = inside.string();
  if (!type || !bytes || !inside.finish() || *type != "ssh-ed25519") return no_certificate("its signature");
  view.signature = *bytes;
  return {};
}

}  // namespace

Result<void> check_subject_key(const SshPublicKey& key) {
  SshReader reader(key.blob);
  const Result<std::string_view> type = reader.string();
  if (!type || *type != key.type) return weak("its type");
  if (key.type == "ssh-ed25519") return check_ed25519(reader);
  if (key.type == "ssh-rsa") return check_rsa(reader);
  if (const Curve* curve = curve_of(key.type); curve != nullptr) return check_ecdsa(reader, *curve);
  return fail(Errc::kUnsupported,
              fmt::format("SSH public key: type {} is not accepted; use ssh-ed25519, ecdsa-sha2-nistp256/384/521 or "
                          "ssh-rsa of at least 2048 bits",
                          key.type));
}

Result<std::string> certificate_to_sign(const SshPublicKey& subject, const SshCertificateOrder& order,
                                        std::string_view authority_blob) {
  if (Result<void> good = check_subject_key(subject); !good) return fail(good);
  if (order.principals.empty()) return fail(Errc::kInternal, "a certificate without principals would be good for all");
  SshReader key(subject.blob);
  if (const Result<std::string_view> type = key.string(); !type) return fail(type);

  SshWriter principals;
  for (const std::string& principal : order.principals) principals.put_string(principal);
  SshWriter certificate;
  certificate.put_string(subject.type + std::string(kCertificateSuffix));
  certificate.put_string(random_bytes(kNonceBytes));
  certificate.put_raw(key.rest());
  const std::string serial = random_bytes(8);
  certificate.put_u64(read_le64(serial.data()));
  certificate.put_u32(kUserCertificate);
  certificate.put_string(order.key_id);
  certificate.put_string(principals.bytes());
  certificate.put_u64(static_cast<uint64_t>(order.valid_after_wall_s));
  certificate.put_u64(static_cast<uint64_t>(order.valid_before_wall_s));
  certificate.put_string("");  // critical options
  certificate.put_string(extensions());
  certificate.put_string("");  // reserved
  certificate.put_string(authority_blob);
  return certificate.bytes();
}

Result<SshCertificateView> parse_ssh_certificate(std::string_view blob) {
  if (blob.size() > kMaxSshKeyLineBytes) return no_certificate("too long");
  SshReader reader(blob);
  const Result<std::string_view> type = reader.string();
  if (!type || !type->ends_with(kCertificateSuffix)) return no_certificate("its type");
  const int fields = key_fields(type->substr(0, type->size() - kCertificateSuffix.size()));
  if (fields == 0) return no_certificate("its key type");
  for (int i = 0; i <= fields; ++i) {  // the nonce and the key
    if (!reader.string()) return no_certificate("it is cut");
  }
  SshCertificateView view;
  const Result<uint64_t> serial = reader.u64();
  const Result<uint32_t> kind = reader.u32();
  const Result<std::string_view> key_id = reader.string();
  const Result<std::string_view> packed = reader.string();
  const Result<uint64_t> after = reader.u64();
  const Result<uint64_t> before = reader.u64();
  const Result<std::string_view> critical = reader.string();
  const Result<std::string_view> extension_list = reader.string();
  const Result<std::string_view> reserved = reader.string();
  if (!serial || !kind || !key_id || !packed || !after || !before || !critical || !extension_list || !reserved)
    return no_certificate("it is cut");
  Result<std::vector<std::string>> principals = parse_principals(*packed);
  if (!principals) return no_certificate(principals.error().message);
  view.key_id = *key_id;
  view.type = *kind;
  view.principals = std::move(*principals);
  view.valid_after_wall_s = *after;
  view.valid_before_wall_s = *before;
  if (Result<void> parsed = parse_signature(blob, reader, view); !parsed) return fail(parsed);
  return view;
}

}  // namespace cairn::auth
