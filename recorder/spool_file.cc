#include "recorder/spool_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"

namespace cairn::recorder {
namespace {

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

bool is_full_disk(const Error& error) {
  return error.code == std::errc::no_space_on_device || error.code == std::error_code(EDQUOT, std::generic_category());
}

}  // namespace

Result<SpoolFile> SpoolFile::create_nameless(const std::filesystem::path& path) {
  const std::string folder = folder_of(path).string();
  UniqueFd fd(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd && (errno == EOPNOTSUPP || errno == EISDIR)) {
    return fail(
        Errc::kUnsupported,
        fmt::format("the file system of {} has no O_TMPFILE; put the data directory on ext4, xfs, btrfs or tmpfs",
                    folder));
  }
  if (!fd) return fail_errno(fmt::format("make a file in {}", folder));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return fail_errno(fmt::format("lock a file in {}", folder));
  return SpoolFile(path, std::move(fd), 0);
}

Result<void> SpoolFile::publish() {
  // linkat(2) with AT_EMPTY_PATH would need CAP_DAC_READ_SEARCH; by way of /proc it needs nothing.
  const std::string self = fmt::format("/proc/self/fd/{}", fd_.get());
  if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, path_.c_str(), AT_SYMLINK_FOLLOW) != 0) {
    return fail_errno(fmt::format("create {}", path_.string()));
  }
  Result<void> synced = sync_directory(path_.parent_path());
  // Who is told that there is no file makes another of this name.
  if (!synced) ::unlink(path_.c_str());
  return synced;
}

Result<SpoolFile> SpoolFile::open_abandoned(const std::filesystem::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno == ENOENT) return fail(Errc::kNotFound, fmt::format("{}: no such recording", path.string()));
  if (!fd) return fail_errno(fmt::format("open {}", path.string()));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_errno(fmt::format("lock {}", path.string()));
    return fail(Errc::kDenied, fmt::format("{} is being written by a living session; wait for its end", path.string()));
  }
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail_errno(fmt::format("stat {}", path.string()));
  return SpoolFile(path, std::move(fd), static_cast<uint64_t>(status.st_size));
}

Result<void> SpoolFile::append(std::string_view bytes, uint64_t limit_bytes) {
  if (refusal_) return fail(refusal_->code, refusal_->message);
  if (end_ > limit_bytes || bytes.size() > limit_bytes - end_) {
    return fail(Errc::kSpoolFull,
                fmt::format("{}: {} bytes more would pass the quota of {}", path_.string(), bytes.size(), limit_bytes));
  }
  if (Result<void> written = write_at_end(bytes); !written) {
    if (!is_full_disk(written.error())) return refuse(fail(written));
    // Part of it may be there; after a clean cut the file is as before and the disk may have room again.
    if (::ftruncate(fd_.get(), static_cast<off_t>(end_)) != 0) return refuse(fail_errno("cut after a full disk"));
    return fail(Errc::kSpoolFull, written.error().message);
  }
  end_ += bytes.size();
  is_synced_ = false;
  return {};
}

Result<void> SpoolFile::sync() {
  if (refusal_) return fail(refusal_->code, refusal_->message);
  if (is_synced_) return {};
  if (::fdatasync(fd_.get()) != 0) return refuse(fail_errno(fmt::format("sync {}", path_.string())));
  is_synced_ = true;
  return {};
}

Result<void> SpoolFile::settle() {
  if (::fdatasync(fd_.get()) != 0) return fail_errno(fmt::format("sync {}", path_.string()));
  ::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_DONTNEED);
  return sync_directory(path_.parent_path());
}

Result<void> SpoolFile::reserve(uint64_t bytes) {
  if (refusal_) return fail(refusal_->code, refusal_->message);
  if (::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(end_), static_cast<off_t>(bytes)) == 0) return {};
  if (errno != ENOSPC && errno != EDQUOT) return {};  // a file system that cannot: the append will tell
  return fail(Errc::kSpoolFull, fmt::format("{}: no room for {} bytes more on the disk", path_.string(), bytes));
}

void SpoolFile::close() {
  if (fd_ && !refusal_) (void)!::ftruncate(fd_.get(), static_cast<off_t>(end_));
  fd_.reset();
}

Result<void> SpoolFile::write_at_end(std::string_view bytes) {
  uint64_t at = end_;
  while (!bytes.empty()) {
    const ssize_t wrote = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return fail_errno(fmt::format("write {}", path_.string()));
    bytes.remove_prefix(static_cast<size_t>(wrote));
    at += static_cast<uint64_t>(wrote);
  }
  return {};
}

Result<std::string> SpoolFile::read(uint64_t offset, size_t count) const {
  Result<std::string> bytes = read_at(fd_.get(), offset, count);
  return bytes ? std::move(bytes) : Result<std::string>(fail(bytes, path_.string()));
}

Result<void> SpoolFile::cut(uint64_t offset) {
  if (::ftruncate(fd_.get(), static_cast<off_t>(offset)) != 0) return fail_errno(fmt::format("cut {}", path_.string()));
  if (::fsync(fd_.get()) != 0) return fail_errno(fmt::format("sync {}", path_.string()));
  end_ = offset;
  return {};
}

Failure SpoolFile::refuse(Failure why) {
  refusal_ = why.value();
  return why;
}

}  // namespace cairn::recorder
