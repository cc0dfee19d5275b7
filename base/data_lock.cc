#include "base/data_lock.h"

#include <fcntl.h>

#include <cerrno>

#include <fmt/format.h>

namespace cairn {

Result<DataLock> DataLock::take(const std::filesystem::path& directory, std::string_view program) {
  const std::filesystem::path path = directory / fmt::format("{}.lock", program);
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail_errno(fmt::format("open {}", path.string()));
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(fd.get(), F_SETLK, &whole) == 0) return DataLock(std::move(fd));
  if (errno != EAGAIN && errno != EACCES) return fail_errno(fmt::format("lock {}", path.string()));
  const bool is_known = ::fcntl(fd.get(), F_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
  return fail(Errc::kAlreadyExists,
              fmt::format("another {} is running with {} (pid {}); stop it, or choose another --data-dir", program,
                          directory.string(), is_known ? fmt::to_string(whole.l_pid) : "unknown"));
}

}  // namespace cairn
