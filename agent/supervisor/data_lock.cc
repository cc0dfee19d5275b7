#include "agent/supervisor/data_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include <fmt/format.h>

#include "base/file.h"

namespace cairn::agent {
namespace {

// The pid in the file, or "unknown": its owner may not have written it yet.
std::string owner_of(int fd) {
  char text[32] = {};
  const ssize_t got = ::pread(fd, text, sizeof text - 1, 0);
  std::string pid(text, got > 0 ? static_cast<size_t>(got) : 0);
  pid.resize(std::min(pid.find_first_not_of("0123456789"), pid.size()));
  return pid.empty() ? "unknown" : pid;
}

}  // namespace

Result<DataLock> DataLock::take(const std::filesystem::path& data_dir) {
  const std::filesystem::path path = data_dir / "agent.lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail_errno(fmt::format("open {}", path.string()));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_errno(fmt::format("lock {}", path.string()));
    return fail(Errc::kAlreadyExists,
                fmt::format("another cairn-agent is running with {} (pid {}); stop it, or choose another --data-dir",
                            data_dir.string(), owner_of(fd.get())));
  }
  if (::ftruncate(fd.get(), 0) != 0) return fail_errno(fmt::format("cut {}", path.string()));
  if (Result<void> written = write_all(fd.get(), fmt::format("{}\n", ::getpid())); !written)
    return fail(written, path.string());
  return DataLock(std::move(fd));
}

}  // namespace cairn::agent
