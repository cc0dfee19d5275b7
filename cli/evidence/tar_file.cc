#include "cli/evidence/tar_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cassert>
#include <cerrno>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"

namespace cairn::cli {
namespace {

constexpr size_t kBlockBytes = 512;
constexpr mode_t kPrivate = 0600;

// POSIX.1-2017, pax, "ustar Interchange Format": name 100, mode 8, uid 8, gid 8, size 12, mtime 12, checksum 8, type 1,
// linkname 100, magic 6, version 2, owner and group 32 each, device numbers 8 each, prefix 155.
std::string header(std::string_view name, uint64_t bytes, uint64_t mtime_s) {
  constexpr size_t kNameBytes = 100;
  constexpr size_t kChecksumAt = 148;
  std::string block(name);
  block.resize(kNameBytes);
  block += fmt::format("{:07o}{}{:07o}{}{:07o}{}{:011o}{}{:011o}{}", 0644, '\0', 0, '\0', 0, '\0', bytes, '\0', mtime_s,
                       '\0');
  block += "        0";  // the checksum counts as blanks
  block.resize(block.size() + kNameBytes);
  block += std::string_view(
      "ustar\0"
      "00",
      8);
  block.resize(kBlockBytes);
  const unsigned sum = std::accumulate(block.begin(), block.end(), 0U,
                                       [](unsigned so_far, char c) { return so_far + static_cast<unsigned char>(c); });
  const std::string checksum = fmt::format("{:06o}{} ", sum, '\0');
  return block.replace(kChecksumAt, checksum.size(), checksum);
}

}  // namespace

Result<TarFile> TarFile::create(std::filesystem::path path, uint64_t mtime_s) {
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kPrivate));
  if (!file) return fail_errno(fmt::format("create {}", path.string()));
  return TarFile(std::move(path), std::move(file), mtime_s);
}

TarFile::~TarFile() {
  if (file_) ::unlink(path_.c_str());
}

Result<void> TarFile::append(std::string_view bytes) {
  if (Result<void> written = write_all(file_.get(), bytes); !written) return fail(written, path_.string());
  at_ += bytes.size();
  return {};
}

Result<void> TarFile::begin(std::string_view name) {
  assert(!name.empty() && name.size() <= kMaxNameBytes);
  name_ = name;
  header_at_ = at_;
  return append(std::string(kBlockBytes, '\0'));
}

Result<void> TarFile::write(std::string_view bytes) {
  if (at_ - header_at_ - kBlockBytes + bytes.size() > kMaxFileBytes)
    return fail(Errc::kTooLarge, fmt::format("{} has more than the 8 GiB that this archive can hold", name_));
  return append(bytes);
}

Result<void> TarFile::end() {
  const std::string block = header(name_, at_ - header_at_ - kBlockBytes, mtime_s_);
  for (size_t done = 0; done < block.size();) {
    const ssize_t wrote =
        ::pwrite(file_.get(), block.data() + done, block.size() - done, static_cast<off_t>(header_at_ + done));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return fail_errno(fmt::format("write {}", path_.string()));
    done += static_cast<size_t>(wrote);
  }
  return append(std::string((kBlockBytes - at_ % kBlockBytes) % kBlockBytes, '\0'));
}

Result<void> TarFile::add(std::string_view name, std::string_view contents) {
  if (Result<void> begun = begin(name); !begun) return fail(begun);
  if (Result<void> written = write(contents); !written) return fail(written);
  return end();
}

Result<void> TarFile::finish() {
  if (Result<void> ended = append(std::string(2 * kBlockBytes, '\0')); !ended) return fail(ended);
  if (::fsync(file_.get()) != 0) return fail_errno(fmt::format("sync {}", path_.string()));
  file_.reset();
  return {};
}

}  // namespace cairn::cli
