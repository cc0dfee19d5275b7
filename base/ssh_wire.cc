#include "base/ssh_wire.h"

#include <fmt/format.h>

#include "base/bytes.h"

namespace cairn {
namespace {

constexpr size_t kMaxKeyTypeBytes = 64;  // RFC 4251 §6

std::string_view take_word(std::string_view& text) {
  const size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  while (text.starts_with(' ')) text.remove_prefix(1);
  return word;
}

std::string_view without_zeros(std::string_view big_endian) {
  while (big_endian.starts_with('\0')) big_endian.remove_prefix(1);
  return big_endian;
}

bool has_top_bit(std::string_view big_endian) {
  return !big_endian.empty() && (static_cast<unsigned char>(big_endian.front()) & 0x80) != 0;
}

}  // namespace

void SshWriter::put_u32(uint32_t value) {
  char bytes[4];
  write_be32(bytes, value);
  bytes_.append(bytes, sizeof bytes);
}

void SshWriter::put_u64(uint64_t value) {
  put_u32(static_cast<uint32_t>(value >> 32));
  put_u32(static_cast<uint32_t>(value));
}

void SshWriter::put_string(std::string_view bytes) {
  put_u32(static_cast<uint32_t>(bytes.size()));
  bytes_.append(bytes);
}

void SshWriter::put_mpint(std::string_view big_endian) {
  big_endian = without_zeros(big_endian);
  const bool needs_zero = has_top_bit(big_endian);  // the first bit is the sign
  put_u32(static_cast<uint32_t>(big_endian.size() + (needs_zero ? 1 : 0)));
  if (needs_zero) bytes_.push_back('\0');
  bytes_.append(big_endian);
}

Result<std::string_view> SshReader::take(size_t count, std::string_view what) {
  if (bytes_.size() - at_ < count) {
    return fail(Errc::kTruncated,
                fmt::format("{} of {} bytes at offset {}, but only {} follow", what, count, at_, bytes_.size() - at_));
  }
  const std::string_view taken = bytes_.substr(at_, count);
  at_ += count;
  return taken;
}

Result<uint8_t> SshReader::u8() {
  const Result<std::string_view> bytes = take(1, "a byte");
  if (!bytes) return fail(bytes);
  return static_cast<uint8_t>(bytes->front());
}

Result<uint32_t> SshReader::u32() {
  const Result<std::string_view> bytes = take(4, "a uint32");
  if (!bytes) return fail(bytes);
  return read_be32(bytes->data());
}

Result<uint64_t> SshReader::u64() {
  const Result<std::string_view> bytes = take(8, "a uint64");
  if (!bytes) return fail(bytes);
  return uint64_t{read_be32(bytes->data())} << 32 | read_be32(bytes->data() + 4);
}

Result<std::string_view> SshReader::string() {
  const size_t start = at_;
  const Result<uint32_t> count = u32();
  if (!count) return fail(count);
  Result<std::string_view> bytes = take(*count, "a string");
  if (!bytes) at_ = start;
  return bytes;
}

Result<std::string_view> SshReader::mpint() {
  const size_t start = at_;
  Result<std::string_view> bytes = string();
  if (!bytes || bytes->empty()) return bytes;
  const std::string_view magnitude = without_zeros(*bytes);
  const size_t zeros = bytes->size() - magnitude.size();
  const size_t zeros_due = has_top_bit(magnitude) ? 1 : 0;
  if (zeros == 0 && zeros_due == 1) {
    at_ = start;
    return fail(Errc::kInvalid, fmt::format("a negative number at offset {}", start));
  }
  if (zeros != zeros_due) {
    at_ = start;
    return fail(Errc::kInvalid, fmt::format("a number with leading zeros at offset {}", start));
  }
  return magnitude;
}

Result<void> SshReader::finish() const {
  if (!empty()) return fail(Errc::kInvalid, fmt::format("{} bytes too many at offset {}", bytes_.size() - at_, at_));
  return {};
}

Result<SshPublicKey> ssh_public_key_from_blob(std::string_view blob) {
  if (blob.size() > kMaxSshKeyLineBytes)
    return fail(Errc::kTooLarge, fmt::format("SSH key of {} bytes, limit {}", blob.size(), kMaxSshKeyLineBytes));
  SshReader reader(blob);
  const Result<std::string_view> type = reader.string();
  if (!type) return fail(type, "SSH key: type");
  if (type->empty() || type->size() > kMaxKeyTypeBytes) return fail(Errc::kInvalid, "SSH key: it names no key type");
  for (const char c : *type) {
    if (c <= ' ' || c > '~') return fail(Errc::kInvalid, "SSH key: its type holds a character that no type has");
  }
  return SshPublicKey{.type = std::string(*type), .blob = std::string(blob), .comment = {}};
}

Result<SshPublicKey> parse_ssh_public_key(std::string_view line) {
  if (line.size() > kMaxSshKeyLineBytes)
    return fail(Errc::kTooLarge, fmt::format("SSH key line of {} bytes, limit {}", line.size(), kMaxSshKeyLineBytes));
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (line.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos)
    return fail(Errc::kInvalid, "SSH key: more than one line");
  const std::string_view type = take_word(line);
  const std::string_view base64 = take_word(line);
  if (type.empty() || base64.empty()) return fail(Errc::kInvalid, "SSH key: not of the form \"TYPE BASE64 COMMENT\"");
  const Result<std::string> blob = from_base64(base64);
  if (!blob) return fail(blob, "SSH key");
  Result<SshPublicKey> key = ssh_public_key_from_blob(*blob);
  if (!key) return key;
  if (key->type != type) {
    return fail(Errc::kInvalid, fmt::format("SSH key: the line says {} and the key inside says {}",
                                            std::string_view(type).substr(0, kMaxKeyTypeBytes), key->type));
  }
  key->comment = std::string(line);
  return key;
}

std::string ssh_public_key_line(const SshPublicKey& key) {
  std::string line = key.type + ' ' + to_base64(key.blob);
  if (!key.comment.empty()) line += ' ' + key.comment;
  return line;
}

std::string ssh_fingerprint(std::string_view blob) {
  std::string base64 = to_base64(sha256(blob));
  while (base64.ends_with('=')) base64.pop_back();
  return "SHA256:" + base64;
}

}  // namespace cairn
