#include "recorder/cms/der.h"

namespace cairn::recorder {
namespace {

constexpr uint8_t kLongLength = 0x80;
constexpr size_t kMaxLengthBytes = 4;

uint8_t byte_at(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

Failure bad() { return fail(Errc::kCorrupt, "no DER value stands where one should"); }

}  // namespace

std::optional<uint8_t> DerReader::next_tag() const {
  if (rest_.empty()) return std::nullopt;
  return byte_at(rest_, 0);
}

Result<std::string_view> DerReader::take(uint8_t tag) {
  if (rest_.size() < 2 || byte_at(rest_, 0) != tag) return bad();
  size_t length = byte_at(rest_, 1);
  size_t begin = 2;
  if (length >= kLongLength) {
    const size_t length_bytes = length - kLongLength;
    if (length_bytes == 0 || length_bytes > kMaxLengthBytes || rest_.size() < begin + length_bytes) return bad();
    length = 0;
    for (; begin < 2 + length_bytes; ++begin) length = length << 8 | byte_at(rest_, begin);
    const bool is_shortest = byte_at(rest_, 2) != 0 && length >= kLongLength;
    if (!is_shortest) return bad();
  }
  if (length > rest_.size() - begin) return bad();
  const std::string_view contents = rest_.substr(begin, length);
  rest_.remove_prefix(begin + length);
  return contents;
}

}  // namespace cairn::recorder
