#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include <fmt/format.h>

#include "base/unique_fd.h"

namespace cairn {

Result<void> sync_directory(const std::filesystem::path& path) {
  UniqueFd directory(::open(path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return fail_errno(fmt::format("open {}", path.string()));
  if (::fsync(directory.get()) != 0) return fail_errno(fmt::format("fsync {}", path.string()));
  return {};
}

namespace {

Result<std::string> read_to_end(const UniqueFd& file, const std::filesystem::path& path, size_t limit_bytes) {
  std::string contents;
  char block[16384];
  for (;;) {
    const ssize_t got = ::read(file.get(), block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(fmt::format("read {}", path.string()));
    if (got == 0) return contents;
    if (contents.size() + static_cast<size_t>(got) > limit_bytes)
      return fail(Errc::kTooLarge, fmt::format("{} holds more than {} bytes", path.string(), limit_bytes));
    contents.append(block, static_cast<size_t>(got));
  }
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& path, size_t limit_bytes) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno(fmt::format("open {}", path.string()));
  return read_to_end(file, path, limit_bytes);
}

Result<std::string> read_private_file(const std::filesystem::path& path, size_t limit_bytes) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno(fmt::format("open {}", path.string()));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_errno(fmt::format("fstat {}", path.string()));
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return fail(Errc::kDenied,
                fmt::format("{} holds a secret and its mode {:04o} opens it to others; run: chmod 600 {}",
                            path.string(), status.st_mode & 07777U, path.string()));
  return read_to_end(file, path, limit_bytes);
}

Result<std::string> read_at(int fd, uint64_t offset, size_t bytes) {
  std::string found(bytes, '\0');
  size_t have = 0;
  while (have < bytes) {
    const ssize_t got = ::pread(fd, found.data() + have, bytes - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read");
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  found.resize(have);
  return found;
}

Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno("write");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view contents, mode_t mode) {
  std::string temporary = path.string() + ".XXXXXX";
  UniqueFd file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!file) return fail_errno(fmt::format("create a temporary beside {}", path.string()));
  Result<void> written = write_all(file.get(), contents);
  if (written && ::fchmod(file.get(), mode) != 0) written = fail_errno("chmod");
  if (written && ::fsync(file.get()) != 0) written = fail_errno("fsync");
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) written = fail_errno("rename");
  if (!written) {
    ::unlink(temporary.c_str());
    return fail(written, fmt::format("write {}", path.string()));
  }
  return sync_directory(path.parent_path());
}

Result<void> make_private_directory(const std::filesystem::path& path, mode_t mode) {
  std::error_code error;
  if (std::filesystem::create_directories(path, error); error)
    return fail(error,
                fmt::format("create directory {}: {}; make it, or choose another", path.string(), error.message()));
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return fail_errno(fmt::format("stat {}", path.string()));
  if (!S_ISDIR(status.st_mode)) return fail(Errc::kInvalid, fmt::format("{} is not a directory", path.string()));
  if (status.st_uid == ::geteuid() && (status.st_mode & 07777) != mode && ::chmod(path.c_str(), mode) != 0)
    return fail_errno(fmt::format("chmod {}", path.string()));
  // access(2) says yes to root on a read-only file system's directory only by accident; a file made and removed is the
  // proof.
  std::string probe = (path / ".probe.XXXXXX").string();
  UniqueFd file(::mkostemp(probe.data(), O_CLOEXEC));
  if (!file)
    return fail_errno(
        fmt::format("directory {} is not writable; fix its owner and mode, or choose another", path.string()));
  ::unlink(probe.c_str());
  return {};
}

}  // namespace cairn
