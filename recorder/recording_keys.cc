#include "recorder/recording_keys.h"

#include <utility>

#include "base/bytes.h"

namespace cairn::recorder {

RecordingKeys RecordingKeys::make(std::vector<Recipient> recipients) {
  RecordingKeys keys{Secret(random_bytes(kSecretBytes))};
  keys.recipients_ = std::move(recipients);
  return keys;
}

std::string RecordingKeys::sealed_secret() const { return seal_secret(secret_.view(), recipients_); }

std::vector<AgeRecipient> RecordingKeys::age_recipients() const {
  std::vector<AgeRecipient> found;
  for (const Recipient& recipient : recipients_) {
    if (const auto* age = std::get_if<AgeRecipient>(&recipient)) found.push_back(*age);
  }
  return found;
}

Secret RecordingKeys::derive(std::string_view purpose, uint64_t number, size_t bytes) const {
  std::string info = "cairn " + std::string(purpose);
  info.resize(info.size() + sizeof number);
  write_le64(info.data() + info.size() - sizeof number, number);
  return hkdf_sha256(secret_.view(), "", info, bytes);
}

Secret RecordingKeys::chunk_key(uint64_t number) const { return derive("chunk", number, kAgeFileKeyBytes); }
Secret RecordingKeys::frame_key(uint64_t number) const { return derive("frame", number, kKeyBytes); }
Secret RecordingKeys::piece_key(uint64_t number) const { return derive("pieces", number, kKeyBytes); }
Secret RecordingKeys::content_key() const { return derive("content", 0, kKeyBytes); }
Secret RecordingKeys::derived_key(std::string_view salt) const {
  return hkdf_sha256(secret_.view(), salt, "cairn derived", kKeyBytes);
}

Result<RecordingKeys> open_secret(std::string_view sealed_secret, std::span<const Identity> identities) {
  Result<Secret> secret = open_sealed(sealed_secret, identities);
  if (!secret) return fail(secret);
  if (secret->view().size() != kSecretBytes) return fail(Errc::kCorrupt, "the recording's secret has another length");
  return RecordingKeys(std::move(*secret));
}

}  // namespace cairn::recorder
