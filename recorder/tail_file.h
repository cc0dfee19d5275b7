#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace cairn::recorder {

// The file beside a recording that holds what of it is not sealed yet (tail_record.h). Who holds the recording's lock
// writes it. One thread at a time; blocks on the disk.
class TailFile {
 public:
  // SESSION_UUID.tail for SESSION_UUID.rec.
  static std::filesystem::path path_for(const std::filesystem::path& recording);

  explicit TailFile(const std::filesystem::path& recording) : path_(path_for(recording)) {}

  // Appends records, and makes the file when there is none.
  //   fails  kSpoolFull: no room; the file is as before. An errno
  Result<void> append(std::string_view records);
  // Power loss keeps them.
  Result<void> sync();
  // Puts `records` in the place of all that it holds, durably, or changes nothing.
  Result<void> replace(std::string_view records);

  // The same without room for a second file: a crash in between may leave nothing, so for what nobody needs any more.
  Result<void> rewrite(std::string_view records);

  uint64_t bytes() const { return bytes_; }

 private:
  Result<void> open();

  std::filesystem::path path_;
  UniqueFd fd_;
  uint64_t bytes_ = 0;
  bool is_synced_ = true;
  bool has_durable_name_ = false;
};

}  // namespace cairn::recorder
