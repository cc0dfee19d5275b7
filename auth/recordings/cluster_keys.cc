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

Result<AgeIdentity> open_identity(const std::filesystem::path& path) {
  const Result<Secret> text = read_or_make(path, [] {
    const AgeIdentity fresh = AgeIdentity::generate();
    return Secret(fmt::format("# recordings of this cluster; public key: {}\n{}\n", fresh.recipient().text(),
                              fresh.text().view()));
  });
  if (!text) return fail(text);
  Result<std::vector<AgeIdentity>> identities = recorder::parse_identities(text->view());
  if (!identities) return fail(Errc::kCorrupt, fmt::format("{}: {}", path.string(), identities.error().message));
  return std::move(identities->front());
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
  Result<AgeIdentity> identity = open_identity(folder / "recordings.age");
  if (!identity) return fail(identity);
  Result<Ed25519Key> cosigner = open_cosigner(folder / "log.key");
  if (!cosigner) return fail(cosigner);
  ClusterKeys keys;
  keys.signer_name_ = cluster + "/log";
  keys.identity_ = std::make_shared<const AgeIdentity>(std::move(*identity));
  keys.cosigner_ = std::make_shared<const Ed25519Key>(std::move(*cosigner));
  for (const std::string& recipient : recipients) {
    if (recipient == "cluster") {
      keys.recipients_.push_back(keys.identity_->recipient().text());
      continue;
    }
    const Result<recorder::AgeRecipient> parsed = recorder::AgeRecipient::parse(recipient);
    if (!parsed) {
      return fail(Errc::kInvalid, fmt::format("recording recipient \"{}\": {}; \"cluster\" and age public keys are "
                                              "possible",
                                              recipient, parsed.error().message));
    }
    keys.recipients_.push_back(recipient);
  }
  if (keys.recipients_.empty()) return fail(Errc::kInvalid, "recordings need at least one recipient; \"cluster\"");
  return keys;
}

Result<std::shared_ptr<const recorder::RecordingKeys>> ClusterKeys::keys_of(const recorder::Opening& opening) const {
  Result<recorder::RecordingKeys> keys =
      recorder::open_secret(opening.sealed_secret(), std::span<const AgeIdentity>(identity_.get(), 1));
  if (!keys) return fail(keys);
  return std::make_shared<const recorder::RecordingKeys>(std::move(*keys));
}

void ClusterKeys::cosign(recorder::SignedNote& note, int64_t wall_s) const {
  recorder::cosign_note(note, signer_name_, *cosigner_, static_cast<uint64_t>(std::max<int64_t>(wall_s, 0)));
}

void ClusterKeys::sign(recorder::SignedNote& note) const { recorder::sign_note(note, signer_name_, *cosigner_); }

}  // namespace cairn::auth
