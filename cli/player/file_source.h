#pragma once

#include <filesystem>

#include "base/unique_fd.h"
#include "cli/player/recording_source.h"
#include "recorder/recording_decoder.h"

namespace cairn::cli {

// A recording in a file: copied from somewhere, or a spool that a worker still writes (live while it holds its lock).
class FileSource final : public RecordingSource {
 public:
  //   unlock  asked for the keys of one that is encrypted
  static Result<std::unique_ptr<FileSource>> open(std::filesystem::path path, recorder::Unlock unlock);

  Result<Piece> read(const ReadPlace& from, size_t limit_bytes, std::chrono::milliseconds wait) override;
  Result<std::shared_ptr<const recorder::RecordingKeys>> unlock(const recorder::Opening& opening) override {
    return unlock_either(unlock_, opening, later_keys());
  }
  Result<std::optional<recorder::Moment>> find(uint64_t, recorder::Step) override {
    return fail(Errc::kUnsupported, "a file knows no moments");
  }
  std::string identity() const override;
  std::string later_keys() const override;  // FILE.keys
  std::string name() const override { return path_.string(); }

 private:
  FileSource(std::filesystem::path path, UniqueFd file, recorder::Unlock unlock)
      : path_(std::move(path)), file_(std::move(file)), unlock_(std::move(unlock)) {}
  Result<std::string> read_once(uint64_t offset, size_t limit_bytes) const;
  Result<void> add_tail(const ReadPlace& from, Piece& piece) const;

  std::filesystem::path path_;
  UniqueFd file_;
  recorder::Unlock unlock_;
};

}  // namespace cairn::cli
