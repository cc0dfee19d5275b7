#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace cairn {

// Every kind of harm that a disk can do to who writes on it.
enum class DiskFault {
  kNoSpace,        // ENOSPC
  kIoError,        // EIO
  kShortWrite,     // half of a write is done and said to be done; other operations are as ever
  kShortThenFull,  // half of it is done, and the rest finds no room
};
constexpr DiskFault kAllDiskFaults[] = {DiskFault::kNoSpace, DiskFault::kIoError, DiskFault::kShortWrite,
                                        DiskFault::kShortThenFull};
const char* name_of(DiskFault fault);

// Stands between this program and the files below one folder: counts what is done to them (write, allocate, truncate,
// create, link, rename, unlink, sync), lets chosen operations fail, and remembers what is really on the disk. For
// tests: linked into their program it takes the place of the C library's functions; as a shared library it is preloaded
// into others (faulty_disk_control.cc). One at a time; any thread.
//
// A file's contents are on the disk when a sync of it has succeeded; names are when a sync of their folder has. What a
// sync that failed was to write never reaches the disk, whatever later ones say: the kernel has dropped it, tells it
// once (fsync(2)), and shows it until the cache is forgotten (POSIX_FADV_DONTNEED). Cut off and written anew it may.
class FaultyDisk {
 public:
  enum class Memory {
    kOfWhatIsSynced,
    kNone,  // for programs that hold more than their memory should hold twice; lose_power() may not be called
  };
  explicit FaultyDisk(const std::filesystem::path& folder, Memory memory = Memory::kOfWhatIsSynced);
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;
  ~FaultyDisk();

  // The `nth` operation from now on that can fail so, counted from 1, and `more` after it do.
  void fail(DiskFault fault, uint64_t nth, uint64_t more = 0);
  void heal();

  uint64_t operations() const;        // since the last fail(), of those that can fail so
  uint64_t failures() const;          // since the last fail()
  std::string first_failure() const;  // "fdatasync of …"; empty: none

  // As after power was lost at this moment. Nobody may hold a file of the folder open.
  void lose_power();
};

}  // namespace cairn
