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

// An append-only file that grows by whole appends or not at all. Holds an exclusive flock(2). One thread at a time;
// blocks on the disk.
class SpoolFile {
 public:
  // A new file in the folder that is to hold it; it has no name yet, so nothing stays behind when the process dies.
  //   fails  kUnsupported: the file system has no O_TMPFILE. An errno.
  static Result<SpoolFile> create_nameless(const std::filesystem::path& path);
  // Gives it its name, durably; the name must be free, and is free again after a failure, as far as the disk lets it.
  Result<void> publish();

  // An existing file whose writer has gone.
  //   fails  kDenied: a living writer holds it. kNotFound: no such file. An errno.
  static Result<SpoolFile> open_abandoned(const std::filesystem::path& path);

  // Appends all of `bytes`. The death of this process does not take them back; power loss may, until sync().
  //   fails  kSpoolFull: the file would grow beyond `limit_bytes`, or the disk is full; the file is as before, try
  //          again when there is room. Any other error: the disk refused; read-only from then on, every later call
  //          fails with the same error, since nobody knows what a failed write or sync left.
  Result<void> append(std::string_view bytes, uint64_t limit_bytes);

  // Power loss keeps what was appended (fdatasync(2)).
  //   fails  the disk refused; read-only from then on
  Result<void> sync();

  // Makes sure that the next `bytes` have room on the disk, where the file system can do that.
  //   fails  kSpoolFull
  Result<void> reserve(uint64_t bytes);

  // Reads up to `count` bytes at `offset`; fewer at the end of the file.
  Result<std::string> read(uint64_t offset, size_t count) const;
  // Makes durable whatever a writer has left that died, and reads from now on what is really on the disk: the kernel
  // goes on showing what a failed sync did not write.
  Result<void> settle();
  // Cuts everything from `offset` on, durably.
  Result<void> cut(uint64_t offset);
  // Releases lock and descriptor, and what was reserved; the file stays.
  void close();

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
  bool is_synced_ = true;
  std::optional<Error> refusal_;
};

}  // namespace cairn::recorder
