#include "auth/recordings/cluster_keys.h"

#include <algorithm>
#include <span>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/file.h"

namespace cairn::auth {
namespace {

using recorder::AgeIdentity;
using recorder::Ed25519Key;
using recorder::Identity;
using recorder::Secret;

constexpr size_t kMaxFileBytes = 64 * 1024;
constexpr mode_t kPrivate = 0600;
// RFC 8410 §7: PKCS #8 of an Ed25519 key is this and its 32 bytes.
constexpr std::string_view kPkcs8 = "302e020100300506032b657004220420";
constexpr std::string_view kPemBegin = "-----BEGIN PRIVATE KEY-----\n";
constexpr std::string_view kPemEnd = "\n-----END PRIVATE KEY-----\n";

Result<bool> is_there(const std::filesystem::path& path) {
  std::error_code error;
  const bool found = std::filesystem::exists(path, error);
  if (error) return fail(error, fmt::format("look for {}: {}", path.string(), error.message()));
  return found;
}

// The file's text, made by `make` when there is none.
template <class Make> Result<Secret> read_or_make(const std::filesystem::path& path, Make make) {
  const Result<bool> found = is_there(path);
  if (!found) return fail(found);
  if (*found) {
    Result<std::string> text = read_private_file(path, kMaxFileBytes);
    if (!text) return fail(text);
    return Secret(std::move(*text));
  }
  Secret made = make();
  if (Result<void> written = write_file_atomically(path, made.view(), kPrivate); !written) return fail(written);
  return made;
}

// As age-keygen(1) writes it.
Secret lines_of(const AgeIdentity& identity) {
  return Secret(fmt::format("# recordings of this cluster; public key: {}\n{}\n", identity.recipient().text(),
                            identity.text().view()));
}

// "cluster", or the text of a recipient, whichever way it was given.
Result<std::string> canonical_recipient(const std::string& given) {
  if (given == "cluster") return given;
  const auto refused = [&given](const Error& why) {
    return fail(Errc::kInvalid, fmt::format("recording recipient \"{}\": {}; \"cluster\", age public keys, and paths "
                                            "of certificates or public keys in PEM (P-256 or RSA) are possible",
                                            given, why.message));
  };
  if (given.find('/') == std::string::npos || given.starts_with("cms:")) {
    const Result<recorder::Recipient> parsed = recorder::parse_recipient(given);
    if (!parsed) return refused(parsed.error());
    return recipient_text(*parsed);
  }
  const Result<std::string> pem = read_file(given, kMaxFileBytes);
  if (!pem) return refused(pem.error());
  const Result<recorder::CmsRecipient> parsed = recorder::CmsRecipient::from_pem(*pem);
  if (!parsed) return refused(parsed.error());
  return parsed->text();
}

Result<Ed25519Key> open_cosigner(const std::filesystem::path& path) {
  const std::string prefix = from_hex(kPkcs8).value();
  const Result<Secret> pem = read_or_make(path, [&prefix] {
    const Secret fresh = Ed25519Key::generate().private_bytes();
    return Secret(fmt::format("{}{}{}", kPemBegin, to_base64(prefix + std::string(fresh.view())), kPemEnd));
  });
  if (!pem) return fail(pem);
  const std::string_view text = pem->view();
  if (text.starts_with(kPemBegin) && text.ends_with(kPemEnd)) {
    const Result<std::string> der =
        from_base64(text.substr(kPemBegin.size(), text.size() - kPemBegin.size() - kPemEnd.size()));
    if (der && der->starts_with(prefix)) {
      Result<Ed25519Key> key = Ed25519Key::from_private(std::string_view(*der).substr(prefix.size()));
      if (key) return key;
    }
  }
  return fail(Errc::kCorrupt, fmt::format("{} holds no Ed25519 key; restore it from the backup", path.string()));
}

}  // namespace

Result<ClusterKeys> ClusterKeys::open(const std::filesystem::path& folder, const std::string& cluster,
                                      const std::vector<std::string>& recipients) {
  if (Result<void> made = make_private_directory(folder); !made) return fail(made);
  ClusterKeys keys;
  keys.file_ = folder / "recordings.age";
  if (recipients.size() > recorder::kMaxRecipients) {
    return fail(Errc::kInvalid, fmt::format("{} recording recipients; at most {} are possible", recipients.size(),
                                            recorder::kMaxRecipients));
  }
  for (const std::string& recipient : recipients) {
    Result<std::string> wanted = canonical_recipient(recipient);
    if (!wanted) return fail(wanted);
    keys.wanted_.push_back(std::move(*wanted));
  }
  const Result<Secret> identities = read_or_make(keys.file_, [] { return lines_of(AgeIdentity::generate()); });
  if (!identities) return fail(identities);
  Result<std::shared_ptr<const Ring>> ring = keys.ring_of(identities->view());
  if (!ring) return fail(ring);
  keys.ring_ = std::move(*ring);
  Result<Ed25519Key> cosigner = open_cosigner(folder / "log.key");
  if (!cosigner) return fail(cosigner);
  keys.signer_name_ = cluster + "/log";
  keys.cosigner_ = std::make_shared<const Ed25519Key>(std::move(*cosigner));
  return keys;
}

Result<std::shared_ptr<const ClusterKeys::Ring>> ClusterKeys::ring_of(std::string_view file) const {
  Result<std::vector<AgeIdentity>> identities = recorder::parse_age_identities(file);
  if (!identities) return fail(Errc::kCorrupt, fmt::format("{}: {}", file_.string(), identities.error().message));
  auto ring = std::make_shared<Ring>();
  for (AgeIdentity& identity : *identities) ring->identities.emplace_back(std::move(identity));
  for (const std::string& recipient : wanted_) {
    if (recipient == "cluster") {
      ring->recipients.push_back(recipient_text(recipient_of(ring->identities.front())));
      continue;
    }
    ring->recipients.push_back(recipient);
  }
  if (ring->recipients.empty()) return fail(Errc::kInvalid, "recordings need at least one recipient; \"cluster\"");
  return ring;
}

std::shared_ptr<const ClusterKeys::Ring> ClusterKeys::ring() const {
  const std::scoped_lock lock(*mutex_);
  return ring_;
}

Result<void> ClusterKeys::store_ring(std::string_view file) {
  Result<std::shared_ptr<const Ring>> fresh = ring_of(file);
  if (!fresh) return fail(fresh);
  if (Result<void> written = write_file_atomically(file_, file, kPrivate); !written) return written;
  const std::scoped_lock lock(*mutex_);
  ring_ = std::move(*fresh);
  return {};
}

std::string ClusterKeys::text_of(std::vector<std::string> recipients) {
  std::ranges::sort(recipients);
  return fmt::format("{}", fmt::join(recipients, ","));
}

Result<std::shared_ptr<const recorder::RecordingKeys>> ClusterKeys::keys_of(const recorder::Opening& opening,
                                                                            std::string_view later) const {
  const std::shared_ptr<const Ring> ring = this->ring();
  Result<recorder::RecordingKeys> keys = recorder::open_secret(opening.sealed_secret(), ring->identities);
  if (!keys && !later.empty()) keys = recorder::open_secret(later, ring->identities);
  if (!keys) return fail(keys);
  return std::make_shared<const recorder::RecordingKeys>(std::move(*keys));
}

std::string ClusterKeys::seal(std::string_view secret) const {
  std::vector<recorder::Recipient> to;
  // They were parsed when they were taken up.
  for (const std::string& text : recipients()) to.push_back(recorder::parse_recipient(text).value());
  return recorder::seal_secret(secret, to);
}

Result<std::string> ClusterKeys::rotate() {
  const std::scoped_lock changing(*changing_);
  const Result<std::string> before = read_private_file(file_, kMaxFileBytes);
  if (!before) return fail(before);
  const Secret old(*before);
  const AgeIdentity fresh = AgeIdentity::generate();
  const Secret both(std::string(lines_of(fresh).view()) + std::string(old.view()));
  if (both.view().size() > kMaxFileBytes)
    return fail(Errc::kTooLarge, "too many old keys are kept; \"cairn keys drop\" forgets those that nothing needs");
  if (Result<void> stored = store_ring(both.view()); !stored) return fail(stored);
  return fresh.recipient().text();
}

std::vector<std::string> ClusterKeys::old_recipients() const {
  std::vector<std::string> old;
  const std::shared_ptr<const Ring> ring = this->ring();
  for (const Identity& identity : std::span(ring->identities).subspan(1))
    old.push_back(recipient_text(recipient_of(identity)));
  return old;
}

bool ClusterKeys::needs_old(const recorder::Opening& opening, std::string_view later) const {
  const std::shared_ptr<const Ring> ring = this->ring();
  const std::span<const Identity> all(ring->identities);
  const auto opens = [&](std::span<const Identity> identities) {
    return recorder::open_secret(opening.sealed_secret(), identities).has_value() ||
           (!later.empty() && recorder::open_secret(later, identities).has_value());
  };
  return !opens(all.first(1)) && opens(all.subspan(1));
}

Result<uint32_t> ClusterKeys::drop_old(const std::string& current) {
  const std::scoped_lock changing(*changing_);
  const std::shared_ptr<const Ring> ring = this->ring();
  const auto& kept = std::get<AgeIdentity>(ring->identities.front());
  if (kept.recipient().text() != current)
    return fail(Errc::kUnavailable, "the key was replaced meanwhile; look again at what needs the old ones");
  if (Result<void> stored = store_ring(lines_of(kept).view()); !stored) return fail(stored);
  return static_cast<uint32_t>(ring->identities.size() - 1);
}

void ClusterKeys::cosign(recorder::SignedNote& note, int64_t wall_s) const {
  recorder::cosign_note(note, signer_name_, *cosigner_, static_cast<uint64_t>(std::max<int64_t>(wall_s, 0)));
}

void ClusterKeys::sign(recorder::SignedNote& note) const { recorder::sign_note(note, signer_name_, *cosigner_); }

}  // namespace cairn::auth
