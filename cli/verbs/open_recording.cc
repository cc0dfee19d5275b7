#include "cli/verbs/open_recording.h"

#include "base/bytes.h"
#include "cli/player/auth_source.h"
#include "cli/player/file_source.h"
#include "cli/verbs/ask.h"

namespace cairn::cli {

bool names_a_file(const std::string& name) {
  if (name.find_first_of("/.") != std::string::npos) return true;
  std::error_code ignored;
  return !is_uuid(name) && std::filesystem::is_regular_file(name, ignored);
}

Result<std::unique_ptr<RecordingSource>> open_recording(const Context& context, const std::string& name) {
  if (names_a_file(name)) {
    Result<std::unique_ptr<FileSource>> file = FileSource::open(name);
    if (!file) return fail(file);
    return std::unique_ptr<RecordingSource>(std::move(*file));
  }
  Result<std::unique_ptr<AuthSource>> session = AuthSource::open([&context] { return open_auth(context); }, name);
  if (!session) return fail(session);
  return std::unique_ptr<RecordingSource>(std::move(*session));
}

}  // namespace cairn::cli
