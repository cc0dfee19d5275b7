#include "cli/verbs/open_recording.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/file.h"
#include "cli/player/auth_source.h"
#include "cli/player/file_source.h"
#include "cli/verbs/ask.h"

namespace cairn::cli {

bool names_a_file(const std::string& name) {
  if (name.find_first_of("/.") != std::string::npos) return true;
  std::error_code ignored;
  return !is_uuid(name) && std::filesystem::is_regular_file(name, ignored);
}

namespace {

using recorder::Opening;
using Keys = std::shared_ptr<const recorder::RecordingKeys>;

constexpr size_t kMaxIdentityBytes = 1 << 20;

Result<Keys> by_identity(const Opening& opening, const std::string& file) {
  Result<std::string> text = read_private_file(file, kMaxIdentityBytes);
  if (!text) return fail(text);
  recorder::Secret secret(std::move(*text));
  // Opened already, by hardware that does not give its key away. No identity is that short.
  if (secret.view().size() == recorder::kSecretBytes)
    return std::make_shared<const recorder::RecordingKeys>(std::move(secret));
  const Result<std::vector<recorder::Identity>> identities = recorder::parse_identities(secret.view());
  if (!identities) return fail(identities, file);
  Result<recorder::RecordingKeys> keys = recorder::open_secret(opening.sealed_secret(), *identities);
  if (!keys) return fail(keys, fmt::format("{} does not open the recording", file));
  return std::make_shared<const recorder::RecordingKeys>(std::move(*keys));
}

Failure locked(std::string_view why) {
  return fail(Errc::kDenied,
              fmt::format("the recording is encrypted, and {}; give the file of an identity that may read it: "
                          "--identity FILE",
                          why));
}

// Auth gives the key to whoever may see the session.
Result<Keys> by_auth(const Context& context, const Opening& opening) {
  Result<AuthSession> auth = open_auth(context);
  if (!auth) return locked("auth cannot be asked for its key (" + auth.error().message + ")");
  auth::v1::Request request;
  request.mutable_read_recording()->set_session_id(opening.begin().begin().session_id());
  request.mutable_read_recording()->set_purpose("key");
  request.mutable_read_recording()->set_limit(1);
  const Result<auth::v1::Response> response =
      auth->call(std::move(request), auth::v1::Response::kReadRecording, AuthSession::kCallLimit);
  if (!response) return locked("auth does not give its key (" + response.error().message + ")");
  const std::string& secret = response->read_recording().secret();
  if (secret.size() != recorder::kSecretBytes) return locked("auth is not among those who can read it");
  return std::make_shared<const recorder::RecordingKeys>(recorder::Secret(secret));
}

}  // namespace

Result<std::unique_ptr<RecordingSource>> open_recording(const Context& context, const std::string& name,
                                                        Reading reading, const std::string& identity_file) {
  const auto given = [identity_file](const Opening& opening) { return by_identity(opening, identity_file); };
  if (names_a_file(name)) {
    const auto asked = [&context](const Opening& opening) { return by_auth(context, opening); };
    Result<std::unique_ptr<FileSource>> file =
        FileSource::open(name, identity_file.empty() ? recorder::Unlock(asked) : given);
    if (!file) return fail(file);
    return std::unique_ptr<RecordingSource>(std::move(*file));
  }
  const auto nobody = [](const Opening&) -> Result<Keys> { return locked("auth is not among those who can read it"); };
  Result<std::unique_ptr<AuthSource>> session =
      AuthSource::open([&context] { return open_auth(context); }, name, std::move(reading),
                       identity_file.empty() ? recorder::Unlock(nobody) : given);
  if (!session) return fail(session);
  return std::unique_ptr<RecordingSource>(std::move(*session));
}

Result<LocalDerivation> local_derivation(const Context& context) {
  const Result<Home> home = context.home();
  if (!home) return fail(home);
  return LocalDerivation(home->derived());
}

void add_identity(CLI::App* verb, std::string& identity_file) {
  verb->add_option("--identity", identity_file,
                   "file of an identity that the recording is encrypted to: of age-keygen, or a private key in PEM; "
                   "or of the 32 bytes that FILE.keys holds for a key in hardware; without it auth is asked");
}

}  // namespace cairn::cli
