#include "cli/player/file_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include <fmt/format.h>

#include "base/file.h"
#include "recorder/recording_writer.h"
#include "recorder/tail_file.h"
#include "recorder/tail_record.h"

namespace cairn::cli {
namespace {

constexpr size_t kMaxTailBytes = size_t{256} << 20;
constexpr std::chrono::milliseconds kLook{100};

}  // namespace

Result<std::unique_ptr<FileSource>> FileSource::open(std::filesystem::path path, recorder::Unlock unlock) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file && errno == ENOENT) return fail(Errc::kNotFound, fmt::format("there is no file {}", path.string()));
  if (!file) return fail_errno(fmt::format("open {}", path.string()));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_errno(fmt::format("stat {}", path.string()));
  if (!S_ISREG(status.st_mode)) return fail(Errc::kInvalid, fmt::format("{} is no regular file", path.string()));
  return std::unique_ptr<FileSource>(new FileSource(std::move(path), std::move(file), std::move(unlock)));
}

Result<std::string> FileSource::read_once(uint64_t offset, size_t limit_bytes) const {
  std::string bytes(std::min(limit_bytes, kMaxPieceBytes), '\0');
  for (;;) {
    const ssize_t got = ::pread(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(fmt::format("read {}", path_.string()));
    bytes.resize(static_cast<size_t>(got));
    return bytes;
  }
}

// What lies beside the file of the chunk that comes at its end.
Result<void> FileSource::add_tail(const ReadPlace& from, Piece& piece) const {
  const Result<std::string> bytes = read_file(recorder::TailFile::path_for(path_), kMaxTailBytes);
  if (!bytes && bytes.error().code == std::errc::no_such_file_or_directory) return {};
  if (!bytes) return fail(bytes);
  // The tail does not know how long the file is; its last chunk's number is that of what is open.
  const std::optional<uint64_t> chunk = recorder::last_chunk_of_tail(*bytes);
  if (!chunk) return {};
  const recorder::TailContents contents = recorder::read_tail(*bytes, *chunk);
  const uint64_t known = *chunk == from.tail_chunk ? from.tail_bytes : 0;
  piece.tail_chunk = *chunk;
  if (contents.pieces.size() > known) piece.tail = contents.pieces.substr(known);
  return {};
}

std::string FileSource::later_keys() const {
  return read_file(path_.string() + ".keys", recorder::kMaxSealedBytes).value_or("");
}

// Another file, or the same one changed.
std::string FileSource::identity() const {
  struct stat status{};
  if (::fstat(file_.get(), &status) != 0) return "file";
  return fmt::format("file-{:x}-{:x}-{:x}-{:x}-{:x}", status.st_dev, status.st_ino, status.st_size,
                     status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

Result<RecordingSource::Piece> FileSource::read(const ReadPlace& from, size_t limit_bytes,
                                                std::chrono::milliseconds wait) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  for (;;) {
    // Asked before reading: a writer that ends in between has written what the read then finds. A file that has gone
    // meanwhile (uploaded) has no writer either.
    const bool is_live = recorder::is_locked(path_).value_or(false);
    Result<std::string> bytes = read_once(from.offset, limit_bytes);
    if (!bytes) return fail(bytes);
    Piece piece{.bytes = std::move(*bytes), .is_live = is_live, .tail_chunk = 0, .tail = {}};
    if (piece.bytes.empty()) {
      if (Result<void> added = add_tail(from, piece); !added) return fail(added);
    }
    const auto left = deadline - std::chrono::steady_clock::now();
    const bool is_new = !piece.bytes.empty() || !piece.tail.empty();
    if (is_new || !is_live || left <= left.zero()) return piece;
    std::this_thread::sleep_for(std::min<std::chrono::steady_clock::duration>(left, kLook));
  }
}

}  // namespace cairn::cli
