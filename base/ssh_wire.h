#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cairn {

// Appends the data types of the SSH protocol (RFC 4251 §5).
class SshWriter {
 public:
  void put_u8(uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
  void put_u32(uint32_t value);
  void put_u64(uint64_t value);
  // Length and bytes. Nested structures are strings too: put_string(inner.bytes()).
  void put_string(std::string_view bytes);
  // A number that is not negative, from its big-endian bytes; leading zeros do not matter.
  void put_mpint(std::string_view big_endian);
  // Bytes as they stand, without a length.
  void put_raw(std::string_view bytes) { bytes_.append(bytes); }

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Reads the same from bytes of a peer, which it borrows: what it returns points into them. Nothing is allocated. After
// a failure the reader stands where it stood.
//   fails  kTruncated: the bytes end first. The sentence names the offset.
class SshReader {
 public:
  explicit SshReader(std::string_view bytes) : bytes_(bytes) {}

  Result<uint8_t> u8();
  Result<uint32_t> u32();
  Result<uint64_t> u64();
  Result<std::string_view> string();
  // Big-endian without leading zeros; empty for 0. Fails with kInvalid on a negative number and on one that is not in
  // its shortest form.
  Result<std::string_view> mpint();

  bool empty() const { return at_ == bytes_.size(); }
  size_t offset() const { return at_; }
  std::string_view rest() const { return bytes_.substr(at_); }
  // Fails with kInvalid when bytes are left over.
  Result<void> finish() const;

 private:
  Result<std::string_view> take(size_t count, std::string_view what);

  std::string_view bytes_;
  size_t at_ = 0;
};

// A public key or certificate as one line of an authorized_keys or .pub file (sshd(8)).
struct SshPublicKey {
  std::string type;     // "ssh-ed25519"; also the blob's first string
  std::string blob;     // RFC 4253 §6.6
  std::string comment;  // what follows on the line; may be empty
};

constexpr size_t kMaxSshKeyLineBytes = 16384;  // RSA of 16384 bits, as a certificate, stays below

// "TYPE BASE64 [COMMENT]", a line break at its end allowed. The type must be the one inside the blob; what follows the
// type in there is not looked at.
//   fails  kInvalid, kTooLarge
Result<SshPublicKey> parse_ssh_public_key(std::string_view line);
// The same from a blob, with an empty comment.
Result<SshPublicKey> ssh_public_key_from_blob(std::string_view blob);
// Without a line break; the comment only if there is one.
std::string ssh_public_key_line(const SshPublicKey& key);
// "SHA256:" and 43 characters of base64, as ssh-keygen -l shows it.
std::string ssh_fingerprint(std::string_view blob);

}  // namespace cairn
