#include "recorder/age/age.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "recorder/age/bech32.h"
#include "recorder/age/header.h"

namespace cairn::recorder {
namespace {

constexpr std::string_view kRecipientPrefix = "age";
constexpr std::string_view kIdentityPrefix = "age-secret-key-";
constexpr std::string_view kX25519 = "X25519";
constexpr std::string_view kX25519Info = "age-encryption.org/v1/X25519";
constexpr size_t kPayloadNonceBytes = 16;
constexpr size_t kWrappedBytes = kAgeFileKeyBytes + kTagBytes;
// "-> X25519 " and two lines of 43 characters.
constexpr size_t kStanzaBytes = 10 + 43 + 1 + 43 + 1;
constexpr size_t kEmptyHeaderBytes = 22 + 4 + 43 + 1;
const std::string kZeroNonce(kNonceBytes, '\0');

Secret wrap_key(std::string_view shared, std::string_view share, std::string_view recipient) {
  return hkdf_sha256(shared, std::string(share) + std::string(recipient), kX25519Info, kKeyBytes);
}

AgeStanza wrap(std::string_view file_key, const AgeRecipient& recipient) {
  for (;;) {
    const X25519Key ephemeral = X25519Key::generate();
    const Result<Secret> shared = ephemeral.agree(recipient.public_bytes());
    if (!shared) continue;  // parse() lets no such recipient pass
    const std::string share = ephemeral.public_bytes();
    const Secret key = wrap_key(shared->view(), share, recipient.public_bytes());
    return {.arguments = {std::string(kX25519), age_base64(share)},
            .body = aead_seal(Cipher::kChaCha20Poly1305, key.view(), kZeroNonce, file_key)};
  }
}

std::string header_mac(std::string_view file_key, std::string_view text) {
  return hmac_sha256(hkdf_sha256(file_key, "", "header", kKeyBytes).view(), text);
}

// C2SP age, "Payload": an 11-byte counter, big-endian, and a byte that marks the last piece.
std::string stream_nonce(uint64_t counter, bool is_last) {
  std::string nonce(kNonceBytes, '\0');
  for (size_t i = 0; i < sizeof counter; ++i) nonce[kNonceBytes - 2 - i] = static_cast<char>(counter >> (8 * i));
  nonce.back() = is_last ? 1 : 0;
  return nonce;
}

struct X25519Stanza {
  std::string share;
  std::string wrapped;
};

// Those stanzas of the file that are ours to try. One of our type in a bad shape spoils the header.
Result<std::vector<X25519Stanza>> x25519_stanzas(const AgeHeader& header) {
  std::vector<X25519Stanza> found;
  for (const AgeStanza& stanza : header.stanzas) {
    if (stanza.arguments[0] != kX25519) continue;
    if (stanza.arguments.size() != 2) return fail(Errc::kCorrupt, "age header: an X25519 stanza of another shape");
    Result<std::string> share = from_age_base64(stanza.arguments[1]);
    if (!share || share->size() != kKeyBytes || stanza.body.size() != kWrappedBytes) {
      return fail(Errc::kCorrupt, "age header: an X25519 stanza of another size");
    }
    found.push_back({.share = std::move(*share), .wrapped = stanza.body});
  }
  return found;
}

Result<void> check_mac(const AgeHeader& header, std::string_view file_key) {
  if (equal_constant_time(header_mac(file_key, header.mac_covers), header.mac)) return {};
  return fail(Errc::kCorrupt, "age header: altered, or made with another key");
}

void append_payload(std::string& file, std::string_view plaintext, std::string_view file_key) {
  const std::string nonce = random_bytes(kPayloadNonceBytes);
  file += nonce;
  const Secret key = hkdf_sha256(file_key, nonce, "payload", kKeyBytes);
  uint64_t counter = 0;
  do {
    const std::string_view piece = plaintext.substr(0, kAgeStreamBytes);
    plaintext.remove_prefix(piece.size());
    file += aead_seal(Cipher::kChaCha20Poly1305, key.view(), stream_nonce(counter++, plaintext.empty()), piece);
  } while (!plaintext.empty());
}

}  // namespace

Result<AgeRecipient> AgeRecipient::parse(std::string_view text) {
  Result<std::string> bytes = bech32_decode(kRecipientPrefix, text);
  if (!bytes) return fail(bytes);
  if (bytes->size() != kKeyBytes) return fail(Errc::kInvalid, "a recipient of another length than 32 bytes");
  // A point of low order would make every file readable to all.
  if (!X25519Key::generate().agree(*bytes)) return fail(Errc::kInvalid, "a recipient that protects nothing");
  return AgeRecipient(std::move(*bytes));
}

std::string AgeRecipient::text() const { return bech32_encode(kRecipientPrefix, public_bytes_); }

AgeIdentity AgeIdentity::generate() { return AgeIdentity(X25519Key::generate()); }

Result<AgeIdentity> AgeIdentity::parse(std::string_view text) {
  Result<std::string> bytes = bech32_decode(kIdentityPrefix, text);
  if (!bytes) return fail(bytes);
  Result<X25519Key> key = X25519Key::from_private(*bytes);
  wipe(*bytes);
  if (!key) return fail(key);
  return AgeIdentity(std::move(*key));
}

Secret AgeIdentity::text() const {
  std::string text = bech32_encode(kIdentityPrefix, key_.private_bytes().view());
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c; });
  return Secret(std::move(text));
}

Result<std::vector<AgeIdentity>> parse_age_identities(std::string_view file) {
  std::vector<AgeIdentity> identities;
  size_t number = 0;
  for (size_t at = 0; at < file.size();) {
    const size_t end = std::min(file.find('\n', at), file.size());
    std::string_view line = file.substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    Result<AgeIdentity> identity = AgeIdentity::parse(line);
    if (!identity) return fail(identity, fmt::format("line {}", number));
    identities.push_back(std::move(*identity));
  }
  if (identities.empty()) return fail(Errc::kInvalid, "it holds no identity; age-keygen(1) makes one");
  return identities;
}

std::string age_encrypt(std::string_view plaintext, std::string_view file_key,
                        std::span<const AgeRecipient> recipients) {
  std::vector<AgeStanza> stanzas;
  for (const AgeRecipient& recipient : recipients) stanzas.push_back(wrap(file_key, recipient));
  std::string text = age_header_text(stanzas);
  const std::string mac = header_mac(file_key, text);
  std::string file = finish_age_header(std::move(text), mac);
  file.reserve(age_size(plaintext.size(), recipients.size()));
  append_payload(file, plaintext, file_key);
  return file;
}

Result<std::string> age_encrypt_again(std::string_view file, std::string_view plaintext, std::string_view file_key) {
  const Result<AgeHeader> header = parse_age_header(file);
  if (!header) return fail(header);
  if (Result<void> whole = check_mac(*header, file_key); !whole) return fail(whole);
  std::string again(file.substr(0, header->bytes));
  append_payload(again, plaintext, file_key);
  return again;
}

size_t age_size(size_t plaintext_bytes, size_t recipients) {
  const size_t pieces = std::max<size_t>(1, (plaintext_bytes + kAgeStreamBytes - 1) / kAgeStreamBytes);
  return kEmptyHeaderBytes + recipients * kStanzaBytes + kPayloadNonceBytes + plaintext_bytes + pieces * kTagBytes;
}

Result<Secret> age_unwrap(std::string_view file, std::span<const AgeIdentity> identities) {
  const Result<AgeHeader> header = parse_age_header(file);
  if (!header) return fail(header);
  const Result<std::vector<X25519Stanza>> stanzas = x25519_stanzas(*header);
  if (!stanzas) return fail(stanzas);
  for (const X25519Stanza& stanza : *stanzas) {
    for (const AgeIdentity& identity : identities) {
      const Result<Secret> shared = identity.key().agree(stanza.share);
      if (!shared) return fail(Errc::kCorrupt, "age header: a share of low order");
      const Secret key = wrap_key(shared->view(), stanza.share, identity.recipient().public_bytes());
      Result<std::string> opened = aead_open(Cipher::kChaCha20Poly1305, key.view(), kZeroNonce, stanza.wrapped);
      if (!opened) continue;
      Secret file_key(std::move(*opened));
      if (Result<void> whole = check_mac(*header, file_key.view()); !whole) return fail(whole);
      return file_key;
    }
  }
  return fail(Errc::kDenied, "it is encrypted to other keys than those given");
}

Result<std::string> age_decrypt(std::string_view file, std::string_view file_key) {
  const Result<AgeHeader> header = parse_age_header(file);
  if (!header) return fail(header);
  if (Result<void> whole = check_mac(*header, file_key); !whole) return fail(whole);
  std::string_view payload = file.substr(header->bytes);
  if (payload.size() < kPayloadNonceBytes + kTagBytes) return fail(Errc::kCorrupt, "age payload: cut short");
  const Secret key = hkdf_sha256(file_key, payload.substr(0, kPayloadNonceBytes), "payload", kKeyBytes);
  payload.remove_prefix(kPayloadNonceBytes);
  std::string plaintext;
  plaintext.reserve(payload.size());
  for (uint64_t counter = 0; counter == 0 || !payload.empty(); ++counter) {
    const std::string_view piece = payload.substr(0, kAgeStreamBytes + kTagBytes);
    payload.remove_prefix(piece.size());
    const std::string nonce = stream_nonce(counter, payload.empty());
    const Result<std::string> opened = aead_open(Cipher::kChaCha20Poly1305, key.view(), nonce, piece);
    if (!opened) return fail(Errc::kCorrupt, fmt::format("age payload: piece {} was altered or cut", counter));
    if (opened->empty() && counter != 0) return fail(Errc::kCorrupt, "age payload: an empty last piece");
    plaintext += *opened;
  }
  return plaintext;
}

std::string age_decrypt_torn(std::string_view file, size_t whole_bytes, std::string_view file_key) {
  const Result<AgeHeader> header = parse_age_header(file);
  if (!header || !check_mac(*header, file_key)) return {};
  std::string_view payload = file.substr(header->bytes);
  if (payload.size() <= kPayloadNonceBytes) return {};
  const Secret key = hkdf_sha256(file_key, payload.substr(0, kPayloadNonceBytes), "payload", kKeyBytes);
  payload.remove_prefix(kPayloadNonceBytes);
  // The last piece is marked in its nonce.
  size_t left = whole_bytes - std::min(whole_bytes, header->bytes + kPayloadNonceBytes);
  std::string plaintext;
  for (uint64_t counter = 0; !payload.empty(); ++counter) {
    const std::string_view piece = payload.substr(0, kAgeStreamBytes);
    plaintext += decrypt_unproved(Cipher::kChaCha20Poly1305, key.view(),
                                  stream_nonce(counter, left <= kAgeStreamBytes + kTagBytes), piece);
    left -= std::min(left, kAgeStreamBytes + kTagBytes);
    payload.remove_prefix(std::min(payload.size(), kAgeStreamBytes + kTagBytes));
  }
  return plaintext;
}

}  // namespace cairn::recorder
