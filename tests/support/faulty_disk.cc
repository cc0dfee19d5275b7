#include "tests/support/faulty_disk.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

namespace cairn {
namespace {

namespace fs = std::filesystem;

// The C library's own function, of which this file's takes the place.
template <class Function> Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

// What of one file is on the disk.
struct Inode {
  std::string bytes;
  // What a sync that failed has dropped: it is shown and never written. [from, to)
  size_t lost_from = 0;
  size_t lost_to = 0;
};
using Names = std::map<std::string, std::shared_ptr<Inode>>;

struct State {
  std::string folder;
  bool remembers = true;
  DiskFault fault = DiskFault::kIoError;
  uint64_t first = 0;  // 0: none fails
  uint64_t last = 0;
  uint64_t operations = 0;
  uint64_t failures = 0;
  std::string first_failure;
  bool is_full_next = false;  // the second half of kShortThenFull
  std::map<ino_t, std::shared_ptr<Inode>> inodes;
  std::map<std::string, Names> folders;  // by path: the names that are on the disk
};

std::recursive_mutex mutex;
std::atomic<State*> state = nullptr;
State& disk() { return *state; }
thread_local bool is_ours = false;  // this file's own accesses

class OurOwn {
 public:
  OurOwn() : was_(std::exchange(is_ours, true)), errno_(errno) {}
  OurOwn(const OurOwn&) = delete;
  OurOwn& operator=(const OurOwn&) = delete;
  ~OurOwn() {
    is_ours = was_;
    errno = errno_;
  }

 private:
  bool was_;
  int errno_;
};

std::string path_of(int fd) {
  char path[4096];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t bytes = ::readlink(link.c_str(), path, sizeof path);
  return bytes <= 0 ? std::string() : std::string(path, static_cast<size_t>(bytes));
}

bool is_below(std::string_view path) {
  return path.starts_with(disk().folder) && (path.size() == disk().folder.size() || path[disk().folder.size()] == '/');
}

enum class Operation { kWrite, kSync, kOther };

// What becomes of one operation: 0, an errno, or -1 for a write of which half is done.
int judge(Operation operation, const char* name, const std::string& path) {
  const bool is_short = disk().fault == DiskFault::kShortWrite || disk().fault == DiskFault::kShortThenFull;
  if (is_short && operation != Operation::kWrite) return 0;
  ++disk().operations;
  if (std::exchange(disk().is_full_next, false)) return ENOSPC;
  if (disk().first == 0 || disk().operations < disk().first || disk().operations > disk().last) return 0;
  if (disk().failures++ == 0) disk().first_failure = std::string(name) + " of " + path;
  disk().is_full_next = disk().fault == DiskFault::kShortThenFull;
  if (is_short) return -1;
  return disk().fault == DiskFault::kNoSpace ? ENOSPC : EIO;
}

ino_t inode_of(int fd) {
  struct stat status{};
  return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

std::string contents_of(int fd) {
  const int file =
      real<int(const char*, int, ...)>("open")(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDONLY | O_CLOEXEC);
  std::string bytes;
  char block[65536];
  for (ssize_t got; file >= 0 && (got = ::read(file, block, sizeof block)) > 0;)
    bytes.append(block, static_cast<size_t>(got));
  ::close(file);
  return bytes;
}

std::shared_ptr<Inode> inode_at(ino_t number) {
  std::shared_ptr<Inode>& inode = disk().inodes[number];
  if (!inode) inode = std::make_shared<Inode>();
  return inode;
}

Names names_in(const fs::path& folder) {
  Names names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    struct stat status{};
    if (::stat(entry.path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    names.emplace(entry.path().filename(), inode_at(status.st_ino));
  }
  return names;
}

void note_synced(int fd, const std::string& path, bool has_succeeded) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return;
  if (S_ISDIR(status.st_mode)) {
    if (has_succeeded) disk().folders[path] = names_in(path);
    return;
  }
  Inode& inode = *inode_at(status.st_ino);
  std::string now = contents_of(fd);
  if (!has_succeeded) {
    const auto differs = std::ranges::mismatch(now, inode.bytes).in1 - now.begin();
    const bool has_lost = inode.lost_to > inode.lost_from;
    inode.lost_from = std::min<size_t>(has_lost ? inode.lost_from : SIZE_MAX, static_cast<size_t>(differs));
    inode.lost_to = std::max(inode.lost_to, now.size());
    return;
  }
  inode.bytes = std::move(now);
  for (size_t at = inode.lost_from; at < std::min(inode.lost_to, inode.bytes.size()); ++at) inode.bytes[at] = '\0';
}

// What is cut off and written anew is written like anything else.
void note_cut(int fd, size_t size) {
  Inode& inode = *inode_at(inode_of(fd));
  inode.lost_to = std::min(inode.lost_to, size);
  if (inode.lost_to <= inode.lost_from) inode.lost_from = inode.lost_to = 0;
}

// Reads come from the disk again, which shows what it never got.
void forget_cache(int fd) {
  const Inode& inode = *inode_at(inode_of(fd));
  if (inode.lost_to <= inode.lost_from) return;
  const int file =
      real<int(const char*, int, ...)>("open")(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_WRONLY | O_CLOEXEC);
  const std::string zeros(inode.lost_to - inode.lost_from, '\0');
  if (::pwrite(file, zeros.data(), zeros.size(), static_cast<off_t>(inode.lost_from)) < 0) std::abort();
  ::close(file);
}

// Runs `call` unless it is to fail. `path` is asked only when a disk stands in between. Takes no lock for other paths:
// a child between fork and exec may not wait for one.
template <class Path, class Call> auto meddle(Operation operation, const char* name, Path path, Call call) {
  using Value = decltype(call(false));
  if (is_ours || state == nullptr) return call(false);
  int verdict = 0;
  {
    const OurOwn ours;
    const std::string where = path();
    if (is_below(where)) {
      const std::scoped_lock lock(mutex);
      verdict = judge(operation, name, where);
    }
  }
  if (verdict <= 0) return call(verdict == -1);
  errno = verdict;
  return static_cast<Value>(-1);
}

template <class Call> auto meddle_fd(Operation operation, const char* name, int fd, Call call) {
  return meddle(operation, name, [fd] { return path_of(fd); }, call);
}

int sync(int fd, const char* name) {
  const auto call = real<int(int)>(name);
  if (is_ours || state == nullptr) return call(fd);
  const int synced = meddle_fd(Operation::kSync, name, fd, [&](bool) { return 0; });
  const OurOwn ours;
  const std::string path = path_of(fd);
  // What is to be remembered lies in this program's memory: the true disk need not work for it.
  if (!is_below(path) || !disk().remembers) return synced == 0 ? call(fd) : synced;
  const std::scoped_lock lock(mutex);
  note_synced(fd, path, synced == 0);
  return synced;
}

// Runs `note` when there is something to remember about this file.
template <class Note> void remember(int fd, Note note) {
  if (is_ours || state == nullptr) return;
  const OurOwn ours;
  if (!disk().remembers || !is_below(path_of(fd))) return;
  const std::scoped_lock lock(mutex);
  note();
}

int truncate_file(const char* name, int fd, off_t size) {
  const auto call = real<int(int, off_t)>(name);
  const int cut = meddle_fd(Operation::kOther, name, fd, [&](bool) { return call(fd, size); });
  if (cut == 0) remember(fd, [&] { note_cut(fd, static_cast<size_t>(size)); });
  return cut;
}

// A number that was a deleted file's is a new file now.
int made(int fd) {
  if (fd >= 0) remember(fd, [fd] { disk().inodes[inode_of(fd)] = std::make_shared<Inode>(); });
  return fd;
}

std::string absolute(const char* path) { return fs::absolute(path).lexically_normal(); }

int open_file(const char* name, const char* path, int flags, mode_t mode) {
  const auto call = real<int(const char*, int, ...)>(name);
  const bool is_nameless = (flags & O_TMPFILE) == O_TMPFILE;
  const bool is_new = is_nameless || ((flags & O_CREAT) != 0 && ::access(path, F_OK) != 0);
  if (!is_new && (flags & O_TRUNC) == 0) return call(path, flags, mode);
  const int fd =
      meddle(Operation::kOther, name, [path] { return absolute(path); }, [&](bool) { return call(path, flags, mode); });
  if (!is_new && fd >= 0) remember(fd, [fd] { note_cut(fd, 0); });
  return is_new ? made(fd) : fd;
}

}  // namespace

const char* name_of(DiskFault fault) {
  switch (fault) {
    case DiskFault::kNoSpace: return "no_space";
    case DiskFault::kIoError: return "io_error";
    case DiskFault::kShortWrite: return "short_write";
    case DiskFault::kShortThenFull: return "short_then_full";
  }
  return "";
}

FaultyDisk::FaultyDisk(const fs::path& folder, Memory memory) {
  const std::scoped_lock lock(mutex);
  const OurOwn ours;
  if (state != nullptr) std::abort();
  auto made = std::make_unique<State>();
  made->folder = fs::absolute(folder).lexically_normal();
  made->remembers = memory == Memory::kOfWhatIsSynced;
  state = made.release();
  if (memory == Memory::kNone) return;
  // What lies there already is on the disk.
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    const int fd = real<int(const char*, int, ...)>("open")(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    inode_at(inode_of(fd))->bytes = contents_of(fd);
    ::close(fd);
    disk().folders[entry.path().parent_path()] = names_in(entry.path().parent_path());
  }
}

FaultyDisk::~FaultyDisk() {
  const std::scoped_lock lock(mutex);
  delete state.exchange(nullptr);
}

void FaultyDisk::fail(DiskFault fault, uint64_t nth, uint64_t more) {
  const std::scoped_lock lock(mutex);
  disk().fault = fault;
  disk().operations = disk().failures = 0;
  disk().first_failure.clear();
  disk().is_full_next = false;
  disk().first = nth;
  disk().last = more > UINT64_MAX - nth ? UINT64_MAX : nth + more;
}

void FaultyDisk::heal() {
  const std::scoped_lock lock(mutex);
  disk().first = 0;
  disk().is_full_next = false;
}

uint64_t FaultyDisk::operations() const {
  const std::scoped_lock lock(mutex);
  return disk().operations;
}

uint64_t FaultyDisk::failures() const {
  const std::scoped_lock lock(mutex);
  return disk().failures;
}

std::string FaultyDisk::first_failure() const {
  const std::scoped_lock lock(mutex);
  return disk().first_failure;
}

void FaultyDisk::lose_power() {
  const std::scoped_lock lock(mutex);
  const OurOwn ours;
  const std::map<std::string, Names> folders = disk().folders;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(disk().folder)) {
    if (entry.is_regular_file()) fs::remove(entry.path());
  }
  disk().inodes.clear();
  for (const auto& [folder, names] : folders) {
    Names& after = disk().folders[folder];
    after.clear();
    for (const auto& [name, inode] : names) {
      const std::string path = (fs::path(folder) / name).string();
      const int fd =
          real<int(const char*, int, ...)>("open")(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
      const std::string& bytes = inode->bytes;
      if (::write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) std::abort();
      inode_at(inode_of(fd))->bytes = bytes;
      after.emplace(name, inode_at(inode_of(fd)));
      ::close(fd);
    }
  }
}

}  // namespace cairn

// ---- in the place of the C library's

// The headers' declarations say noexcept for some and not for others.
extern "C" {

#define CAIRN_OPEN(name)                                                              \
  int name(const char* path, int flags, ...) {                                        \
    va_list rest;                                                                     \
    va_start(rest, flags);                                                            \
    const bool has_mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE; \
    const mode_t mode = has_mode ? va_arg(rest, mode_t) : 0;                          \
    va_end(rest);                                                                     \
    return cairn::open_file(#name, path, flags, mode);                                \
  }
CAIRN_OPEN(open)
CAIRN_OPEN(open64)

ssize_t write(int fd, const void* bytes, size_t count) {
  const auto call = cairn::real<ssize_t(int, const void*, size_t)>("write");
  return cairn::meddle_fd(cairn::Operation::kWrite, "write", fd,
                          [&](bool is_half) { return call(fd, bytes, is_half && count > 1 ? count / 2 : count); });
}

#define CAIRN_PWRITE(name)                                                           \
  ssize_t name(int fd, const void* bytes, size_t count, off_t offset) {              \
    const auto call = cairn::real<ssize_t(int, const void*, size_t, off_t)>(#name);  \
    return cairn::meddle_fd(cairn::Operation::kWrite, #name, fd, [&](bool is_half) { \
      return call(fd, bytes, is_half && count > 1 ? count / 2 : count, offset);      \
    });                                                                              \
  }
CAIRN_PWRITE(pwrite)
CAIRN_PWRITE(pwrite64)

int fsync(int fd) { return cairn::sync(fd, "fsync"); }
int fdatasync(int fd) { return cairn::sync(fd, "fdatasync"); }

int posix_fadvise(int fd, off_t offset, off_t bytes, int advice) noexcept {
  const auto call = cairn::real<int(int, off_t, off_t, int)>("posix_fadvise");
  const int taken = call(fd, offset, bytes, advice);
  if (advice == POSIX_FADV_DONTNEED) cairn::remember(fd, [fd] { cairn::forget_cache(fd); });
  return taken;
}

#define CAIRN_FTRUNCATE(name) \
  int name(int fd, off_t size) noexcept { return cairn::truncate_file(#name, fd, size); }
CAIRN_FTRUNCATE(ftruncate)
CAIRN_FTRUNCATE(ftruncate64)

int fallocate(int fd, int mode, off_t offset, off_t bytes) {
  const auto call = cairn::real<int(int, int, off_t, off_t)>("fallocate");
  return cairn::meddle_fd(cairn::Operation::kOther, "fallocate", fd,
                          [&](bool) { return call(fd, mode, offset, bytes); });
}

int mkostemp(char* path, int flags) {
  const auto call = cairn::real<int(char*, int)>("mkostemp");
  return cairn::made(cairn::meddle(
      cairn::Operation::kOther, "mkostemp", [path] { return cairn::absolute(path); },
      [&](bool) { return call(path, flags); }));
}

int linkat(int from, const char* path, int to, const char* name, int flags) noexcept {
  const auto call = cairn::real<int(int, const char*, int, const char*, int)>("linkat");
  return cairn::meddle(
      cairn::Operation::kOther, "linkat", [name] { return cairn::absolute(name); },
      [&](bool) { return call(from, path, to, name, flags); });
}

int rename(const char* from, const char* to) noexcept {
  const auto call = cairn::real<int(const char*, const char*)>("rename");
  return cairn::meddle(
      cairn::Operation::kOther, "rename", [to] { return cairn::absolute(to); }, [&](bool) { return call(from, to); });
}

int unlink(const char* path) noexcept {
  const auto call = cairn::real<int(const char*)>("unlink");
  return cairn::meddle(
      cairn::Operation::kOther, "unlink", [path] { return cairn::absolute(path); }, [&](bool) { return call(path); });
}

}  // extern "C"
