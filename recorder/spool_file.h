#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"

namespace cairn::recorder {

// An append-only file that is either a byte longer by whole appends, durably, or not changed. Holds an exclusive
// flock(2). One thread at a time; blocks on the disk.
class SpoolFile {
 public:
  // A new file in the folder that is to hold it; it has no name yet, so nothing stays behind when the process dies.
  //   fails  kUnsupported: the file system has no O_TMPFILE. An errno.
  static Result<SpoolFile> create_nameless(const std::filesystem::path& path);
  // Gives it its name, durably; the name must be free.
  Result<void> publish();

  // An existing file whose writer has gone.
  //   fails  kDenied: a living writer holds it. kNotFound: no such file. An errno.
  static Result<SpoolFile> open_abandoned(const std::filesystem::path& path);

  // Appends all of `bytes`; once this returns, power loss keeps them (fdatasync(2)).
  //   fails  kSpoolFull: the file would grow beyond `limit_bytes`, or the disk is full; the file is as before, try
  //          again when there is room. Any other error: the disk refused; read-only from then on, every later call
  //          fails with the same error, since nobody knows what a failed write or sync left.
  Result<void> append(std::string_view bytes, uint64_t limit_bytes);

  // Reads up to `count` bytes at `offset`; fewer at the end of the file.
  Result<std::string> read(uint64_t offset, size_t count) const;
  // Cuts everything from `offset` on, durably.
  Result<void> cut(uint64_t offset);
  // Releases lock and descriptor; the file stays.
  void close() { fd_.reset(); }

  uint64_t bytes() const { return end_; }
  // The error that made it read-only, if one did.
  const std::optional<Error>& refusal() const { return refusal_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  SpoolFile(std::filesystem::path path, UniqueFd fd, uint64_t end)
      : path_(std::move(path)), fd_(std::move(fd)), end_(end) {}

  Result<void> write_at_end(std::string_view bytes);
  Failure refuse(Failure why);

  std::filesystem::path path_;
  UniqueFd fd_;
  uint64_t end_;
  std::optional<Error> refusal_;
};

}  // namespace cairn::recorder
