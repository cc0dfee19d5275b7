#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "recorder/derive/derived_file.h"
#include "recorder/recording_keys.h"

namespace cairn::recorder {

// A recording that something is to be derived from.
struct DeriveInput {
  UniqueFd recording;
  std::array<unsigned char, 16> session = {};
  uint64_t chunks = 0;                        // whole ones that there are: no fewer are derived
  std::shared_ptr<const RecordingKeys> keys;  // nullptr: it is not encrypted
  // Of one that is not complete: what stands on its screens, and the pieces of the chunk that is not sealed yet.
  bool wants_open_chunk = false;
  uint64_t pieces_of = 0;  // that chunk's number
  std::string pieces;
};

struct Derived {
  DerivedFile file;
  std::optional<derived::v1::Content> open_chunk;  // if wanted; none: it has been sealed meanwhile
};

// Derived files in one folder (0700, files 0600). Thread-safe, and several processes may share it; blocks while another
// derives from the same recording.
class DerivedCache {
 public:
  // Makes the folder when it is missing.
  static Result<DerivedCache> open(std::filesystem::path folder);

  // As it is.
  //   fails  kNotFound: nothing, or not as much as the input has chunks
  Result<Derived> look(const std::string& name, const DeriveInput& input) const;
  // Brought up to date, by run_derive_process().
  //   fails  as that does
  Result<Derived> derive(const std::string& name, const DeriveInput& input) const;
  void forget(const std::string& name) const;

 private:
  explicit DerivedCache(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::filesystem::path path_of(const std::string& name) const { return folder_ / (name + ".derived"); }

  std::filesystem::path folder_;
};

}  // namespace cairn::recorder
