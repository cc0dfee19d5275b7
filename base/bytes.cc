#include "base/bytes.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <endian.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

namespace cairn {
namespace {

template <class T> T load(const void* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <class T> void store(void* at, T value) { std::memcpy(at, &value, sizeof value); }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr std::array<size_t, 4> kUuidDashes = {8, 13, 18, 23};
constexpr size_t kUuidChars = 36;

bool is_uuid_dash(size_t at) {
  return at == kUuidDashes[0] || at == kUuidDashes[1] || at == kUuidDashes[2] || at == kUuidDashes[3];
}

}  // namespace

uint32_t read_be32(const void* at) { return be32toh(load<uint32_t>(at)); }
void write_be32(void* at, uint32_t value) { store(at, htobe32(value)); }
uint32_t read_le32(const void* at) { return le32toh(load<uint32_t>(at)); }
void write_le32(void* at, uint32_t value) { store(at, htole32(value)); }
uint64_t read_le64(const void* at) { return le64toh(load<uint64_t>(at)); }
void write_le64(void* at, uint64_t value) { store(at, htole64(value)); }

std::string to_hex(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) fmt::format_to(std::back_inserter(text), "{:02x}", static_cast<unsigned char>(c));
  return text;
}

Result<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return fail(Errc::kInvalid, fmt::format("hexadecimal text of odd length {}", text.size()));
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0)
      return fail(Errc::kInvalid, fmt::format("no hexadecimal digit at character {}", high < 0 ? i : i + 1));
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

std::string to_base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(length));
  return text;
}

Result<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0)
    return fail(Errc::kInvalid, fmt::format("base64 text of length {}, which is no multiple of 4", text.size()));
  if (text.empty()) return std::string();
  std::string bytes(text.size() / 4 * 3, '\0');
  const int length =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (length < 0) return fail(Errc::kInvalid, "text is not base64");
  // EVP_DecodeBlock counts the padding as zero bytes.
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  bytes.resize(static_cast<size_t>(length) - padding);
  return bytes;
}

std::string random_bytes(size_t count) {
  std::string bytes(count, '\0');
  size_t filled = 0;
  while (filled < count) {
    const ssize_t got = ::getrandom(bytes.data() + filled, count - filled, 0);
    if (got < 0 && errno != EINTR) std::abort();
    if (got > 0) filled += static_cast<size_t>(got);
  }
  return bytes;
}

std::string sha256(std::string_view bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_uuid() {
  const std::string bytes = random_bytes(16);
  std::array<unsigned char, 16> raw;
  std::memcpy(raw.data(), bytes.data(), raw.size());
  raw[6] = static_cast<unsigned char>((raw[6] & 0x0f) | 0x40);
  raw[8] = static_cast<unsigned char>((raw[8] & 0x3f) | 0x80);
  return uuid_text(raw);
}

bool is_uuid(std::string_view text) {
  if (text.size() != kUuidChars) return false;
  for (size_t i = 0; i < text.size(); i++) {
    const char c = text[i];
    const bool fits = is_uuid_dash(i) ? c == '-' : (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (!fits) return false;
  }
  return true;
}

std::array<unsigned char, 16> uuid_bytes(std::string_view text) {
  std::array<unsigned char, 16> bytes{};
  size_t digits = 0;
  for (size_t i = 0; i < text.size() && digits < 32; i++) {
    if (is_uuid_dash(i)) continue;
    bytes[digits / 2] = static_cast<unsigned char>(bytes[digits / 2] * 16 + hex_digit(text[i]));
    digits++;
  }
  return bytes;
}

std::string uuid_text(std::span<const unsigned char, 16> bytes) {
  std::string text;
  for (const unsigned char byte : bytes) {
    if (is_uuid_dash(text.size())) text += '-';
    fmt::format_to(std::back_inserter(text), "{:02x}", byte);
  }
  return text;
}

}  // namespace cairn
