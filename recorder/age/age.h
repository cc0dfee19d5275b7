#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recorder/crypto.h"

namespace cairn::recorder {

// The age v1 format (C2SP, age-encryption.org/v1) with X25519 recipients: what `age -r` and `age -d -i` read and write.
// All functions are pure; any thread.

constexpr size_t kAgeFileKeyBytes = 16;
// Of a header: 400 recipients.
constexpr size_t kMaxAgeHeaderBytes = 64 * 1024;
constexpr size_t kAgeStreamBytes = 64 * 1024;

// Whom a file is encrypted to.
class AgeRecipient {
 public:
  //   text   "age1…"
  //   fails  kInvalid: it is none; the sentence says why
  static Result<AgeRecipient> parse(std::string_view text);

  std::string text() const;
  const std::string& public_bytes() const { return public_bytes_; }
  bool operator==(const AgeRecipient&) const = default;

 private:
  friend class AgeIdentity;
  explicit AgeRecipient(std::string public_bytes) : public_bytes_(std::move(public_bytes)) {}
  std::string public_bytes_;
};

// Who can decrypt.
class AgeIdentity {
 public:
  static AgeIdentity generate();
  //   text  "AGE-SECRET-KEY-1…"
  static Result<AgeIdentity> parse(std::string_view text);

  Secret text() const;
  AgeRecipient recipient() const { return AgeRecipient(key_.public_bytes()); }
  const X25519Key& key() const { return key_; }

 private:
  explicit AgeIdentity(X25519Key key) : key_(std::move(key)) {}
  X25519Key key_;
};

// The identities of a file as age-keygen(1) writes it: one in a line, empty lines and those that begin with '#'
// skipped.
//   fails  kInvalid: a line is no identity, or there is none; the sentence names the line
Result<std::vector<AgeIdentity>> parse_age_identities(std::string_view file);

// A whole age file.
//   file_key    kAgeFileKeyBytes that encrypt this file alone
//   recipients  at least one
std::string age_encrypt(std::string_view plaintext, std::string_view file_key,
                        std::span<const AgeRecipient> recipients);
// Another plaintext under the header of `file`: for the same recipients, by the same file key. No key meets a nonce
// twice: the payload's key follows from the file key and 16 bytes that are drawn anew.
//   fails  as age_decrypt
Result<std::string> age_encrypt_again(std::string_view file, std::string_view plaintext, std::string_view file_key);
// How long age_encrypt's will be.
size_t age_size(size_t plaintext_bytes, size_t recipients);

// The file key, by whichever identity fits.
//   fails  kCorrupt: no age v1 header, or it was altered. kDenied: encrypted to nobody of these.
Result<Secret> age_unwrap(std::string_view file, std::span<const AgeIdentity> identities);

// The plaintext.
//   fails  kCorrupt: no age v1 file, made with another key, altered or cut
Result<std::string> age_decrypt(std::string_view file, std::string_view file_key);

// What can be read of a file that was cut: NOT proved to be what was encrypted, since the proof is what was cut off.
//   whole_bytes  how long the file was
std::string age_decrypt_torn(std::string_view file, size_t whole_bytes, std::string_view file_key);

}  // namespace cairn::recorder
