#pragma once

#include <filesystem>

#include "base/result.h"
#include "cli/player/recording_source.h"
#include "recorder/derive/derived_cache.h"

namespace cairn::cli {

// Derives here what auth does not: from files, and from recordings that only who reads them has the key of. What is
// derived is kept for a month.
class LocalDerivation {
 public:
  explicit LocalDerivation(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Reads all of it, unless it has been here before.
  //   chunks  that it has; 0: not known
  //   fails   kUnsupported: it is still live. As the source, and as DerivedCache::derive
  Result<recorder::Derived> read(RecordingSource& source, uint64_t chunks) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace cairn::cli
