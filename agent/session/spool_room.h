#pragma once

#include <dirent.h>

#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/clock.h"
#include "base/result.h"

namespace cairn::agent {

// What all recordings of a host together may take.
struct SpoolLimits {
  uint64_t total_bytes = 0;    // of the folder, as the disk counts it; 0: no limit
  uint64_t reserve_bytes = 0;  // kept free on its disk for everybody else; 0: nothing
};

// Those limits as one of many processes sees it that write side by side and know nothing of each other but what lies in
// the folder. It looks there at least once a second while it writes, and besides before it has taken a small part of
// what was left: the nearer the limit, the sooner, in the end before each chunk. Chunks reserve their room on the disk
// when they are begun, so others see it. All together pass a limit at most by a chunk for each of them, and by what
// ends a recording. One thread at a time; blocks on the disk.
class SpoolRoom {
 public:
  // `clock` outlives it.
  SpoolRoom(std::filesystem::path folder, SpoolLimits limits, const Clock* clock);

  // Whether a recording that has `held_bytes` may grow by `more_bytes`.
  //   fails  kSpoolFull, with the limit and the option's name; ask again, there may be room later
  Result<void> claim(uint64_t held_bytes, uint64_t more_bytes);

 private:
  Result<void> look(uint64_t held_bytes);
  bool must_look(uint64_t held_bytes, uint64_t more_bytes) const;

  struct Closer {
    void operator()(DIR* folder) const noexcept { ::closedir(folder); }
  };

  std::filesystem::path folder_;
  SpoolLimits limits_;
  const Clock* clock_;
  std::unique_ptr<DIR, Closer> open_;  // from the first look on, so that looking again wants nothing that may be short
  uint64_t next_look_ns_ = 0;
  uint64_t held_then_bytes_ = 0;  // of the recording, when it looked
  uint64_t left_bytes_ = 0;
  uint64_t unseen_bytes_ = 0;  // what it may take of that without looking again
  bool is_full_ = false;
  Error full_;  // what to say then
};

}  // namespace cairn::agent
