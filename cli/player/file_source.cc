#include "cli/player/file_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include <fmt/format.h>

#include "recorder/recording_writer.h"

namespace cairn::cli {
namespace {

constexpr size_t kPieceBytes = 256 << 10;
constexpr std::chrono::milliseconds kLook{100};

}  // namespace

Result<std::unique_ptr<FileSource>> FileSource::open(std::filesystem::path path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file && errno == ENOENT) return fail(Errc::kNotFound, fmt::format("there is no file {}", path.string()));
  if (!file) return fail_errno(fmt::format("open {}", path.string()));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_errno(fmt::format("stat {}", path.string()));
  if (!S_ISREG(status.st_mode)) return fail(Errc::kInvalid, fmt::format("{} is no regular file", path.string()));
  return std::unique_ptr<FileSource>(new FileSource(std::move(path), std::move(file)));
}

Result<std::string> FileSource::read_once(uint64_t offset) const {
  std::string bytes(kPieceBytes, '\0');
  for (;;) {
    const ssize_t got = ::pread(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(fmt::format("read {}", path_.string()));
    bytes.resize(static_cast<size_t>(got));
    return bytes;
  }
}

Result<RecordingSource::Piece> FileSource::read(uint64_t offset, std::chrono::milliseconds wait) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  for (;;) {
    // Asked before reading: a writer that ends in between has written what the read then finds. A file that has gone
    // meanwhile (uploaded) has no writer either.
    const bool is_live = recorder::is_locked(path_).value_or(false);
    Result<std::string> bytes = read_once(offset);
    if (!bytes) return fail(bytes);
    const auto left = deadline - std::chrono::steady_clock::now();
    if (!bytes->empty() || !is_live || left <= left.zero()) return Piece{std::move(*bytes), is_live};
    std::this_thread::sleep_for(std::min<std::chrono::steady_clock::duration>(left, kLook));
  }
}

}  // namespace cairn::cli
