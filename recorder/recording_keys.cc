#include "recorder/recording_keys.h"

#include <utility>

#include "base/bytes.h"

namespace cairn::recorder {

RecordingKeys RecordingKeys::make(std::vector<AgeRecipient> recipients) {
  RecordingKeys keys{Secret(random_bytes(kSecretBytes))};
  keys.recipients_ = std::move(recipients);
  return keys;
}

std::string RecordingKeys::sealed_secret() const {
  return age_encrypt(secret_.view(), Secret(random_bytes(kAgeFileKeyBytes)).view(), recipients_);
}

Secret RecordingKeys::derive(std::string_view purpose, uint64_t number, size_t bytes) const {
  std::string info = "cairn " + std::string(purpose);
  info.resize(info.size() + sizeof number);
  write_le64(info.data() + info.size() - sizeof number, number);
  return hkdf_sha256(secret_.view(), "", info, bytes);
}

Secret RecordingKeys::chunk_key(uint64_t number) const { return derive("chunk", number, kAgeFileKeyBytes); }
Secret RecordingKeys::piece_key(uint64_t number) const { return derive("pieces", number, kKeyBytes); }
Secret RecordingKeys::content_key() const { return derive("content", 0, kKeyBytes); }
Secret RecordingKeys::derived_key(std::string_view salt) const {
  return hkdf_sha256(secret_.view(), salt, "cairn derived", kKeyBytes);
}

Result<RecordingKeys> open_secret(std::string_view sealed_secret, std::span<const AgeIdentity> identities) {
  const Result<Secret> file_key = age_unwrap(sealed_secret, identities);
  if (!file_key) return fail(file_key);
  Result<std::string> secret = age_decrypt(sealed_secret, file_key->view());
  if (!secret) return fail(secret);
  if (secret->size() != kSecretBytes) return fail(Errc::kCorrupt, "the recording's secret has another length");
  return RecordingKeys(Secret(std::move(*secret)));
}

}  // namespace cairn::recorder
