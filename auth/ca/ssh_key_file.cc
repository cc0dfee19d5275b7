#include "auth/ca/ssh_key_file.h"

#include <array>

#include <fmt/format.h>

#include "auth/ca/pem.h"
#include "base/bytes.h"
#include "base/ssh_wire.h"

namespace cairn::auth {
namespace {

constexpr std::string_view kMagic{"openssh-key-v1\0", 15};
constexpr std::string_view kBegin = "-----BEGIN OPENSSH PRIVATE KEY-----";
constexpr std::string_view kEnd = "-----END OPENSSH PRIVATE KEY-----";
constexpr size_t kKeyBytes = 32;
constexpr size_t kLineChars = 70;
constexpr size_t kBlockBytes = 8;  // of the cipher "none"

Failure malformed(std::string_view what) {
  return fail(Errc::kCorrupt, fmt::format("no OpenSSH private key: {}", what));
}

Result<std::string> raw_public(EVP_PKEY* key) {
  std::string bytes(kKeyBytes, '\0');
  size_t size = bytes.size();
  if (EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(bytes.data()), &size) != 1 || size != kKeyBytes)
    return fail(Errc::kInternal, fmt::format("read an Ed25519 key: {}", tunnel::openssl_error()));
  return bytes;
}

std::string base64_of(std::string_view text) {
  std::string base64;
  for (const char c : text) {
    if (c != '\n' && c != '\r') base64 += c;
  }
  return base64;
}

// The private section's beginning: two equal numbers, type, public key, private key and public key again.
Result<Key> parse_private(std::string_view section) {
  SshReader reader(section);
  const Result<uint32_t> first = reader.u32();
  const Result<uint32_t> second = reader.u32();
  const Result<std::string_view> type = reader.string();
  if (!first || !second || !type || *first != *second) return malformed("its private section is damaged");
  if (*type != "ssh-ed25519") return fail(Errc::kUnsupported, "the key is not an Ed25519 key");
  const Result<std::string_view> public_part = reader.string();
  const Result<std::string_view> both = reader.string();
  if (!public_part || !both || both->size() != 2 * kKeyBytes) return malformed("its private section is damaged");
  Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(both->data()),
                                       kKeyBytes));
  if (!key) return malformed(tunnel::openssl_error());
  const Result<std::string> derived = raw_public(key.get());
  if (!derived || *derived != *public_part) return malformed("its two halves do not belong together");
  return key;
}

}  // namespace

Result<std::string> ssh_ed25519_blob(EVP_PKEY* key) {
  const Result<std::string> raw = raw_public(key);
  if (!raw) return fail(raw);
  SshWriter blob;
  blob.put_string("ssh-ed25519");
  blob.put_string(*raw);
  return blob.bytes();
}

Result<std::string> openssh_private_key(EVP_PKEY* key, std::string_view comment) {
  const Result<std::string> blob = ssh_ed25519_blob(key);
  const Result<std::string> raw = raw_public(key);
  if (!blob || !raw) return fail(blob ? raw : blob);
  std::array<unsigned char, kKeyBytes> seed{};
  size_t size = seed.size();
  if (EVP_PKEY_get_raw_private_key(key, seed.data(), &size) != 1)
    return fail(Errc::kInternal, fmt::format("read an Ed25519 key: {}", tunnel::openssl_error()));

  SshWriter section;
  const uint32_t check = read_be32(random_bytes(4).data());
  section.put_u32(check);
  section.put_u32(check);
  section.put_string("ssh-ed25519");
  section.put_string(*raw);
  section.put_string(std::string(seed.begin(), seed.end()) + *raw);
  section.put_string(comment);
  for (uint8_t pad = 1; section.bytes().size() % kBlockBytes != 0; ++pad) section.put_u8(pad);
  OPENSSL_cleanse(seed.data(), seed.size());

  SshWriter file;
  file.put_raw(kMagic);
  file.put_string("none");  // cipher
  file.put_string("none");  // key derivation
  file.put_string("");
  file.put_u32(1);
  file.put_string(*blob);
  file.put_string(section.bytes());
  const std::string base64 = to_base64(file.bytes());
  std::string text = fmt::format("{}\n", kBegin);
  for (size_t at = 0; at < base64.size(); at += kLineChars) text += base64.substr(at, kLineChars) + '\n';
  return text + fmt::format("{}\n", kEnd);
}

Result<Key> private_key_from_openssh(std::string_view text) {
  const size_t begin = text.find(kBegin);
  const size_t end = text.find(kEnd);
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin + kBegin.size())
    return malformed("its first or last line is missing");
  Result<std::string> bytes = from_base64(base64_of(text.substr(begin + kBegin.size(), end - begin - kBegin.size())));
  if (!bytes) return malformed(bytes.error().message);
  if (!bytes->starts_with(kMagic)) return malformed("it does not begin with openssh-key-v1");
  SshReader reader(std::string_view(*bytes).substr(kMagic.size()));
  const Result<std::string_view> cipher = reader.string();
  const Result<std::string_view> derivation = reader.string();
  const Result<std::string_view> options = reader.string();
  const Result<uint32_t> keys = reader.u32();
  const Result<std::string_view> public_blob = reader.string();
  const Result<std::string_view> section = reader.string();
  if (!cipher || !derivation || !options || !keys || !public_blob || !section || *keys != 1)
    return malformed("it is cut or holds other than one key");
  if (*cipher != "none") return fail(Errc::kUnsupported, "the key is encrypted; remove its passphrase (ssh-keygen -p)");
  Result<Key> key = parse_private(*section);
  OPENSSL_cleanse(bytes->data(), bytes->size());
  return key;
}

}  // namespace cairn::auth
