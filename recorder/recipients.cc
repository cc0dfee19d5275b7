#include "recorder/recipients.h"

#include <optional>
#include <utility>

#include "base/bytes.h"
#include "recorder/cms/der.h"

namespace cairn::recorder {
namespace {

// The parts of what seal_secret() made; empty: there is none of that kind.
struct SealedParts {
  std::string_view cms;
  std::string_view age;
};

Result<SealedParts> split(std::string_view sealed) {
  SealedParts parts{.cms = {}, .age = sealed};
  if (DerReader(sealed).next_tag() != kDerSequence) return parts;
  const Result<size_t> bytes = cms_size(sealed);
  if (!bytes) return fail(bytes);
  parts.cms = sealed.substr(0, *bytes);
  parts.age.remove_prefix(*bytes);
  return parts;
}

Result<Secret> open_age(std::string_view file, const AgeIdentity& identity) {
  const Result<Secret> file_key = age_unwrap(file, {&identity, 1});
  if (!file_key) return fail(file_key);
  Result<std::string> secret = age_decrypt(file, file_key->view());
  if (!secret) return fail(secret);
  return Secret(std::move(*secret));
}

// Nothing when it is not for those who have identities of this kind.
std::optional<Result<Secret>> open_part(const SealedParts& parts, const Identity& identity) {
  if (const auto* age = std::get_if<AgeIdentity>(&identity)) {
    if (parts.age.empty() && !parts.cms.empty()) return std::nullopt;
    return open_age(parts.age, *age);
  }
  if (parts.cms.empty()) return std::nullopt;
  return cms_open(parts.cms, std::get<CmsIdentity>(identity));
}

}  // namespace

Result<Recipient> parse_recipient(std::string_view text) {
  const auto any = [](auto parsed) -> Result<Recipient> {
    if (!parsed) return fail(parsed);
    return Recipient(std::move(*parsed));
  };
  return text.starts_with("cms:") ? any(CmsRecipient::parse(text)) : any(AgeRecipient::parse(text));
}

std::string recipient_text(const Recipient& recipient) {
  return std::visit([](const auto& kind) { return kind.text(); }, recipient);
}

Recipient recipient_of(const Identity& identity) {
  return std::visit([](const auto& kind) { return Recipient(kind.recipient()); }, identity);
}

Result<std::vector<Identity>> parse_identities(std::string_view file) {
  const auto any = [](auto found) -> Result<std::vector<Identity>> {
    if (!found) return fail(found);
    std::vector<Identity> identities;
    for (auto& identity : *found) identities.emplace_back(std::move(identity));
    return identities;
  };
  if (file.find("-----BEGIN ") != std::string_view::npos) return any(CmsIdentity::parse_all(file));
  return any(parse_age_identities(file));
}

std::string seal_secret(std::string_view secret, std::span<const Recipient> recipients) {
  std::vector<AgeRecipient> age;
  std::vector<CmsRecipient> cms;
  for (const Recipient& recipient : recipients) {
    if (const auto* key = std::get_if<AgeRecipient>(&recipient)) age.push_back(*key);
    if (const auto* key = std::get_if<CmsRecipient>(&recipient)) cms.push_back(*key);
  }
  std::string sealed;
  if (!cms.empty()) sealed += cms_seal(secret, cms);
  if (!age.empty()) sealed += age_encrypt(secret, Secret(random_bytes(kAgeFileKeyBytes)).view(), age);
  return sealed;
}

Result<Secret> open_sealed(std::string_view sealed, std::span<const Identity> identities) {
  const Result<SealedParts> parts = split(sealed);
  if (!parts) return fail(parts);
  for (const Identity& identity : identities) {
    std::optional<Result<Secret>> opened = open_part(*parts, identity);
    if (opened && (*opened || opened->error().code != Errc::kDenied)) return std::move(*opened);
  }
  return fail(Errc::kDenied, "it is encrypted to other keys than those given");
}

}  // namespace cairn::recorder
