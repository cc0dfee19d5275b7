#pragma once

#include <filesystem>

#include "base/unique_fd.h"
#include "cli/player/recording_source.h"

namespace cairn::cli {

// A recording in a file: copied from somewhere, or a spool that a worker still writes (live while it holds its lock).
class FileSource final : public RecordingSource {
 public:
  static Result<std::unique_ptr<FileSource>> open(std::filesystem::path path);

  Result<Piece> read(uint64_t offset, std::chrono::milliseconds wait) override;
  std::string name() const override { return path_.string(); }

 private:
  FileSource(std::filesystem::path path, UniqueFd file) : path_(std::move(path)), file_(std::move(file)) {}
  Result<std::string> read_once(uint64_t offset) const;

  std::filesystem::path path_;
  UniqueFd file_;
};

}  // namespace cairn::cli
