#include "recorder/tail_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "base/file.h"
#include "recorder/spool_file.h"

namespace cairn::recorder {
namespace {

Failure failed(const Error& error, const std::filesystem::path& path) {
  const bool is_full =
      error.code == std::errc::no_space_on_device || error.code == std::error_code(EDQUOT, std::generic_category());
  const std::string message = fmt::format("{}: {}", path.string(), error.message);
  return is_full ? fail(Errc::kSpoolFull, message) : fail(error.code, message);
}

}  // namespace

std::filesystem::path TailFile::path_for(const std::filesystem::path& recording) {
  return std::filesystem::path(recording).replace_extension(".tail");
}

Result<void> TailFile::open() {
  fd_ = UniqueFd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd_) return failed(fail_errno("open").value(), path_);
  bytes_ = 0;
  return {};
}

Result<void> TailFile::append(std::string_view records) {
  if (!fd_) {
    if (Result<void> opened = open(); !opened) return opened;
  }
  if (::lseek(fd_.get(), static_cast<off_t>(bytes_), SEEK_SET) < 0) return fail_errno("seek in " + path_.string());
  if (Result<void> written = write_all(fd_.get(), records); !written) {
    // A torn record would hide all that come after it.
    if (::ftruncate(fd_.get(), static_cast<off_t>(bytes_)) != 0) return fail_errno("cut " + path_.string());
    return failed(written.error(), path_);
  }
  bytes_ += records.size();
  is_synced_ = false;
  return {};
}

Result<void> TailFile::sync() {
  if (is_synced_ || !fd_) return {};
  if (::fdatasync(fd_.get()) != 0) return fail_errno("sync " + path_.string());
  if (!has_durable_name_) {
    if (Result<void> named = sync_directory(path_.parent_path()); !named) return named;
    has_durable_name_ = true;
  }
  is_synced_ = true;
  return {};
}

Result<void> TailFile::replace(std::string_view records) {
  constexpr mode_t kPrivate = 0600;
  if (Result<void> written = write_file_atomically(path_, records, kPrivate); !written) {
    return failed(written.error(), path_);
  }
  fd_ = UniqueFd(::open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd_) return fail_errno("open " + path_.string());
  bytes_ = records.size();
  is_synced_ = has_durable_name_ = true;
  return {};
}

Result<void> TailFile::rewrite(std::string_view records) {
  if (Result<void> opened = open(); !opened) return opened;
  if (Result<void> appended = append(records); !appended) return appended;
  return sync();
}

}  // namespace cairn::recorder
