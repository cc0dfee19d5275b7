#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recorder/crypto.h"
#include "recorder/recipients.h"

namespace cairn::recorder {

constexpr size_t kSecretBytes = 32;

// The keys of one recording, all derived from its secret, which its writer makes and nobody but the recipients can
// have again. Every chunk has keys of its own, so that no key outlives what it encrypts.
class RecordingKeys {
 public:
  // For a writer: a secret of this recording alone.
  //   recipients  at least one
  static RecordingKeys make(std::vector<Recipient> recipients);
  // For a reader.
  explicit RecordingKeys(Secret secret) : secret_(std::move(secret)) {}

  // The secret for the recipients, as seal_secret() gives it.
  std::string sealed_secret() const;
  const std::vector<Recipient>& recipients() const { return recipients_; }
  // Those of them who read with age(1).
  std::vector<AgeRecipient> age_recipients() const;
  std::string_view secret() const { return secret_.view(); }

  Secret chunk_key(uint64_t number) const;  // the file key of a chunk's age file
  Secret frame_key(uint64_t number) const;  // AES-256-GCM, of a chunk that nobody reads with age(1)
  Secret piece_key(uint64_t number) const;  // AES-256-GCM, of the pieces of a chunk that is not sealed yet
  Secret content_key() const;               // HMAC-SHA-256, of what chunks hold
  // AES-256-GCM, of what is derived from it and kept under `salt`.
  Secret derived_key(std::string_view salt) const;

 private:
  Secret derive(std::string_view purpose, uint64_t number, size_t bytes) const;

  Secret secret_;
  std::vector<Recipient> recipients_;
};

// The secret of a recording, by whichever identity fits.
//   sealed_secret  Opening.sealed_secret
//   fails          kCorrupt, kDenied: as open_sealed
Result<RecordingKeys> open_secret(std::string_view sealed_secret, std::span<const Identity> identities);

}  // namespace cairn::recorder
