#include "recorder/derive/derived_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

#include <fmt/format.h>

#include "base/file.h"
#include "recorder/derive/derive_process.h"

namespace cairn::recorder {
namespace {

Result<std::optional<derived::v1::Content>> content_of_draft(UniqueFd draft, const DeriveInput& input) {
  const Result<DerivedFile> file = DerivedFile::open(std::move(draft), input.session, input.keys.get());
  if (!file && file.error().code == make_error_code(Errc::kNotFound)) return std::optional<derived::v1::Content>();
  if (!file) return fail(file);
  if (file->segments().empty()) return std::optional<derived::v1::Content>();
  Result<derived::v1::Content> content = file->content(file->segments().front());
  if (!content) return fail(content);
  return std::optional(std::move(*content));
}

// Held for whoever derives; its folder may be emptied at any time.
Result<UniqueFd> open_locked(const std::filesystem::path& path) {
  for (;;) {
    UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file) return fail_errno(fmt::format("open {}", path.string()));
    while (::flock(file.get(), LOCK_EX) != 0) {
      if (errno != EINTR) return fail_errno(fmt::format("lock {}", path.string()));
    }
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) return fail_errno(fmt::format("stat {}", path.string()));
    if (status.st_nlink > 0) return file;
  }
}

}  // namespace

Result<DerivedCache> DerivedCache::open(std::filesystem::path folder) {
  if (Result<void> made = make_private_directory(folder); !made) return fail(made);
  return DerivedCache(std::move(folder));
}

Result<Derived> DerivedCache::look(const std::string& name, const DeriveInput& input) const {
  const std::filesystem::path path = path_of(name);
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) return fail(Errc::kNotFound, "nothing is derived yet");
  if (!file) return fail_errno(fmt::format("open {}", path.string()));
  Result<DerivedFile> derived = DerivedFile::open(std::move(file), input.session, input.keys.get());
  if (!derived) return fail(derived);
  if (derived->segments().size() < input.chunks)
    return fail(Errc::kNotFound, fmt::format("of {} chunks {} are derived", input.chunks, derived->segments().size()));
  return Derived{.file = std::move(*derived), .open_chunk = std::nullopt};
}

Result<Derived> DerivedCache::derive(const std::string& name, const DeriveInput& input) const {
  const Result<UniqueFd> file = open_locked(path_of(name));
  if (!file) return fail(file);
  UniqueFd draft(input.wants_open_chunk ? ::memfd_create("cairn", MFD_CLOEXEC) : -1);
  if (!draft && input.wants_open_chunk) return fail_errno("memfd_create");
  const Result<void> done = run_derive_process({.recording = input.recording.get(),
                                                .derived = file->get(),
                                                .draft = draft.get(),
                                                .pieces_of = input.pieces_of,
                                                .pieces = input.pieces,
                                                .secret = input.keys ? input.keys->secret() : std::string_view(),
                                                .limits = {}});
  if (!done) return fail(done);
  // By another descriptor: this one holds the lock.
  Result<Derived> derived = look(name, input);
  if (!derived && derived.error().code == make_error_code(Errc::kNotFound))
    return fail(Errc::kCorrupt, derived.error().message);  // not for want of trying
  if (!derived || !draft) return derived;
  Result<std::optional<derived::v1::Content>> open_chunk = content_of_draft(std::move(draft), input);
  if (!open_chunk) return fail(open_chunk);
  derived->open_chunk = std::move(*open_chunk);
  return derived;
}

void DerivedCache::forget(const std::string& name) const {
  std::error_code ignored;
  std::filesystem::remove(path_of(name), ignored);
}

}  // namespace cairn::recorder
