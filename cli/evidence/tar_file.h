#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace cairn::cli {

// A tar archive (POSIX.1-2017 pax, ustar) that is made of the names, the contents and one time alone: the same gives
// the same bytes. One thread at a time; blocks on the disk.
class TarFile {
 public:
  static constexpr size_t kMaxNameBytes = 100;
  static constexpr uint64_t kMaxFileBytes = (uint64_t{1} << 33) - 1;  // eleven octal digits

  //   mtime_s  of all files in it, 0..2^33-1
  //   fails    an errno; EEXIST: nothing is overwritten
  static Result<TarFile> create(std::filesystem::path path, uint64_t mtime_s);
  TarFile(TarFile&&) = default;
  TarFile& operator=(TarFile&&) = delete;
  // What was not finished is removed.
  ~TarFile();

  // A whole file. `name`: relative, 1..kMaxNameBytes bytes.
  Result<void> add(std::string_view name, std::string_view contents);
  // One whose length shows when it is written: begin(), write() any number of times, end().
  Result<void> begin(std::string_view name);
  //   fails  kTooLarge: kMaxFileBytes would be passed
  Result<void> write(std::string_view bytes);
  Result<void> end();
  // Ends the archive and brings it to the disk.
  Result<void> finish();

  uint64_t bytes() const { return at_; }

 private:
  TarFile(std::filesystem::path path, UniqueFd file, uint64_t mtime_s)
      : path_(std::move(path)), file_(std::move(file)), mtime_s_(mtime_s) {}
  Result<void> append(std::string_view bytes);

  std::filesystem::path path_;
  UniqueFd file_;
  uint64_t mtime_s_;
  uint64_t at_ = 0;
  uint64_t header_at_ = 0;  // of the file under way
  std::string name_;
};

}  // namespace cairn::cli
