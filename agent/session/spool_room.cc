#include "agent/session/spool_room.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace cairn::agent {
namespace {

constexpr uint64_t kLookNs = 1'000'000'000;
// A week's backlog is many files, and many workers look: only a flood makes one spend more than a hundredth of its
// time.
constexpr uint64_t kPauseForEachLook = 100;
// So many may begin in the moment in which one of those that it knows of looks, and take as much, before the limit is
// met.
constexpr uint64_t kUnknownWriters = 16;
constexpr uint64_t kStatBlockBytes = 512;  // whatever the file system's blocks are: stat(2)

struct FolderUse {
  uint64_t bytes = 0;
  uint64_t writers = 0;  // recordings with a tail: those that are being written, and what is left of dead ones
};

FolderUse use_of(DIR* folder) {
  FolderUse use;
  ::rewinddir(folder);
  while (const dirent* entry = ::readdir(folder)) {
    struct stat status{};
    // What has gone meanwhile takes no room.
    if (::fstatat(::dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode))
      continue;
    use.bytes += static_cast<uint64_t>(status.st_blocks) * kStatBlockBytes;
    if (std::string_view(entry->d_name).ends_with(".tail")) ++use.writers;
  }
  return use;
}

Result<uint64_t> free_bytes(DIR* folder) {
  struct statvfs status{};
  if (::fstatvfs(::dirfd(folder), &status) != 0) return fail_errno("fstatvfs of the spool");
  return static_cast<uint64_t>(status.f_bavail) * status.f_frsize;
}

uint64_t rest(uint64_t of, uint64_t taken) { return of - std::min(of, taken); }

}  // namespace

SpoolRoom::SpoolRoom(std::filesystem::path folder, SpoolLimits limits, const Clock* clock)
    : folder_(std::move(folder)), limits_(limits), clock_(clock) {}

bool SpoolRoom::must_look(uint64_t held_bytes, uint64_t more_bytes) const {
  if (!open_ || clock_->mono_ns() >= next_look_ns_) return true;
  return !is_full_ && rest(held_bytes, held_then_bytes_) + more_bytes > unseen_bytes_;
}

Result<void> SpoolRoom::claim(uint64_t held_bytes, uint64_t more_bytes) {
  if (limits_.total_bytes == 0 && limits_.reserve_bytes == 0) return {};
  if (must_look(held_bytes, more_bytes)) {
    if (Result<void> looked = look(held_bytes); !looked) return looked;
  }
  is_full_ = rest(held_bytes, held_then_bytes_) + more_bytes > left_bytes_;
  return is_full_ ? fail(full_.code, full_.message) : Result<void>();
}

Result<void> SpoolRoom::look(uint64_t held_bytes) {
  const uint64_t begin_ns = clock_->mono_ns();
  if (!open_) {
    open_.reset(::opendir(folder_.c_str()));
    if (!open_) return fail_errno(fmt::format("open {}", folder_.string()));
  }
  const FolderUse use = use_of(open_.get());
  uint64_t left = UINT64_MAX;
  if (limits_.total_bytes > 0) {
    left = rest(limits_.total_bytes, use.bytes);
    full_ = {.code = Errc::kSpoolFull,
             .message = fmt::format("{}: recordings take {} of {} bytes (spool_total_bytes)", folder_.string(),
                                    use.bytes, limits_.total_bytes)};
  }
  if (limits_.reserve_bytes > 0) {
    const Result<uint64_t> free = free_bytes(open_.get());
    if (!free) return fail(free);
    if (const uint64_t beyond = rest(*free, limits_.reserve_bytes); beyond < left) {
      left = beyond;
      full_ = {.code = Errc::kSpoolFull,
               .message = fmt::format("{}: {} bytes are free on its disk, of which {} stay free (spool_reserve_bytes)",
                                      folder_.string(), *free, limits_.reserve_bytes)};
    }
  }
  left_bytes_ = left;
  unseen_bytes_ = left / (use.writers + kUnknownWriters);
  held_then_bytes_ = held_bytes;
  const uint64_t now_ns = clock_->mono_ns();
  next_look_ns_ = now_ns + std::max(kLookNs, (now_ns - begin_ns) * kPauseForEachLook);
  return {};
}

}  // namespace cairn::agent
