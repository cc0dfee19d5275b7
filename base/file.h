#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cairn {

// The whole file. Fails with kTooLarge before reading when it holds more than `limit_bytes`, with the errno otherwise.
Result<std::string> read_file(const std::filesystem::path& path, size_t limit_bytes);

// The same of a file that holds a secret: fails with kDenied when its mode lets others read or write it.
Result<std::string> read_private_file(const std::filesystem::path& path, size_t limit_bytes);

// Replaces `path` as a whole or not at all: writes a temporary beside it, fsyncs, renames, fsyncs the folder. Mode is
// not subject to the umask.
Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view contents, mode_t mode);

// Makes durable what was created, renamed and deleted in the folder; an empty path is the current one.
Result<void> sync_directory(const std::filesystem::path& path);

// Up to `bytes` from `offset` on, resuming after short reads and EINTR; fewer where the file ends.
Result<std::string> read_at(int fd, uint64_t offset, size_t bytes);

// Writes all of `bytes`, resuming after short writes and EINTR.
Result<void> write_all(int fd, std::string_view bytes);

// Makes the folder (and its parents) with `mode` when it is missing, and proves that one can write in it.
// Fails with a sentence that names the folder and what to do.
Result<void> make_private_directory(const std::filesystem::path& path, mode_t mode = 0700);

}  // namespace cairn
