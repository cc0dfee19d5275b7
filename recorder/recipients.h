#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "recorder/age/age.h"
#include "recorder/cms/cms.h"
#include "recorder/crypto.h"

namespace cairn::recorder {

// To whom recordings are encrypted, and who can read them: holders of an age key, or of a P-256 or RSA key. One
// recording may have both.
using Recipient = std::variant<AgeRecipient, CmsRecipient>;
using Identity = std::variant<AgeIdentity, CmsIdentity>;

// Of both together: they fit then in what readers take.
constexpr size_t kMaxRecipients = kMaxCmsRecipients;
constexpr size_t kMaxSealedBytes = kMaxCmsBytes + kMaxAgeHeaderBytes;

//   text   "age1…" or "cms:…"
//   fails  kInvalid: it is none; the sentence says why
Result<Recipient> parse_recipient(std::string_view text);
std::string recipient_text(const Recipient& recipient);
Recipient recipient_of(const Identity& identity);

// The identities of a file: as age-keygen(1) writes it, or private keys in PEM.
//   fails  kInvalid: there is none, or what is there is none
Result<std::vector<Identity>> parse_identities(std::string_view file);

// A secret for these alone, 1..kMaxRecipients: for holders of P-256 and RSA keys a CMS ContentInfo in DER, and behind
// it, for holders of age keys, an age file. Where there are none of a kind, its part is missing.
std::string seal_secret(std::string_view secret, std::span<const Recipient> recipients);
// The secret, by whichever identity fits.
//   fails  kCorrupt: it cannot be read, or was altered. kDenied: sealed for nobody of these
Result<Secret> open_sealed(std::string_view sealed, std::span<const Identity> identities);

}  // namespace cairn::recorder
