#include "recorder/age/bech32.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <vector>

#include <fmt/format.h>

namespace cairn::recorder {
namespace {

constexpr std::string_view kAlphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr size_t kChecksumSymbols = 6;
constexpr int kSymbolBits = 5;
using Symbols = std::vector<uint8_t>;

uint32_t checksum_of(std::string_view prefix, const Symbols& symbols) {
  constexpr std::array<uint32_t, 5> kGenerator = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
  uint32_t check = 1;
  const auto feed = [&check, &kGenerator](uint8_t value) {
    const uint32_t top = check >> 25;
    check = (check & 0x1ffffff) << kSymbolBits ^ value;
    for (size_t i = 0; i < kGenerator.size(); ++i) {
      if (((top >> i) & 1) != 0) check ^= kGenerator[i];
    }
  };
  for (const char c : prefix) feed(static_cast<uint8_t>(c) >> kSymbolBits);
  feed(0);
  for (const char c : prefix) feed(static_cast<uint8_t>(c) & 31);
  for (const uint8_t symbol : symbols) feed(symbol);
  return check;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

}  // namespace

std::string bech32_encode(std::string_view prefix, std::string_view bytes) {
  Symbols symbols;
  uint32_t waiting = 0;
  int bits = 0;
  for (const char c : bytes) {
    waiting = waiting << 8 | static_cast<uint8_t>(c);
    for (bits += 8; bits >= kSymbolBits; bits -= kSymbolBits) {
      symbols.push_back((waiting >> (bits - kSymbolBits)) & 31);
    }
  }
  if (bits > 0) symbols.push_back((waiting << (kSymbolBits - bits)) & 31);
  Symbols padded = symbols;
  padded.resize(symbols.size() + kChecksumSymbols);
  const uint32_t check = checksum_of(prefix, padded) ^ 1;
  for (size_t i = 0; i < kChecksumSymbols; ++i) {
    symbols.push_back((check >> (kSymbolBits * (kChecksumSymbols - 1 - i))) & 31);
  }
  std::string text = std::string(prefix) + '1';
  for (const uint8_t symbol : symbols) text += kAlphabet[symbol];
  return text;
}

Result<std::string> bech32_decode(std::string_view prefix, std::string_view text) {
  const std::string small = lower(text);
  const bool has_upper = std::ranges::any_of(text, [](unsigned char c) { return std::isupper(c) != 0; });
  const bool has_lower = std::ranges::any_of(text, [](unsigned char c) { return std::islower(c) != 0; });
  const std::string begin = std::string(prefix) + '1';
  if ((has_upper && has_lower) || !small.starts_with(begin) || small.size() < begin.size() + kChecksumSymbols) {
    return fail(Errc::kInvalid, fmt::format("not a key that begins with \"{}\"", begin));
  }
  Symbols symbols;
  for (const char c : std::string_view(small).substr(begin.size())) {
    const size_t at = kAlphabet.find(c);
    if (at == std::string_view::npos) return fail(Errc::kInvalid, fmt::format("a key with the character '{}'", c));
    symbols.push_back(static_cast<uint8_t>(at));
  }
  if (checksum_of(prefix, symbols) != 1) return fail(Errc::kInvalid, "the key's checksum is wrong: mistyped, or cut");
  symbols.resize(symbols.size() - kChecksumSymbols);
  std::string bytes;
  uint32_t waiting = 0;
  int bits = 0;
  for (const uint8_t symbol : symbols) {
    waiting = (waiting << kSymbolBits | symbol) & 0xfff;
    bits += kSymbolBits;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(waiting >> bits & 0xff);
  }
  if (bits >= kSymbolBits || (waiting & ((1U << bits) - 1)) != 0) return fail(Errc::kInvalid, "a key with loose bits");
  return bytes;
}

}  // namespace cairn::recorder
