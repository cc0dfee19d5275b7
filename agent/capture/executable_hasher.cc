#include "agent/capture/executable_hasher.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "base/bytes.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace cairn::agent {
namespace {

constexpr int kLowestPriority = 19;
constexpr size_t kReadBytes = 256 * 1024;
constexpr int64_t kNsPerS = 1'000'000'000;

struct FreeDigest {
  void operator()(EVP_MD_CTX* digest) const noexcept { EVP_MD_CTX_free(digest); }
};

// The device is left out: a file system like btrfs or overlayfs shows stat(2) another one than the kernel's own.
bool is_same_file(int fd, uint64_t inode, int64_t ctime_ns, uint64_t* bytes) {
  struct stat found{};
  if (::fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) return false;
  *bytes = static_cast<uint64_t>(found.st_size);
  const int64_t ctime = found.st_ctim.tv_sec * kNsPerS + found.st_ctim.tv_nsec;
  return found.st_ino == inode && (ctime_ns == 0 || ctime == ctime_ns);
}

UniqueFd open_file(const std::string& name) {
  return UniqueFd(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
}

Result<std::string> digest_of(const UniqueFd& fd, const std::atomic<bool>& is_stopping) {
  const std::unique_ptr<EVP_MD_CTX, FreeDigest> digest(EVP_MD_CTX_new());
  if (!digest || EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) != 1) return fail(Errc::kInternal, "sha256");
  std::vector<char> piece(kReadBytes);
  for (uint64_t total = 0;;) {
    if (is_stopping) return fail(Errc::kUnavailable, "the session ended");
    const ssize_t got = ::read(fd.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read");
    if (got == 0) break;
    total += static_cast<uint64_t>(got);
    if (total > ExecutableHasher::kMaxFileBytes) return fail(Errc::kInvalid, "larger than what is read");
    EVP_DigestUpdate(digest.get(), piece.data(), static_cast<size_t>(got));
  }
  std::string raw(EVP_MAX_MD_SIZE, '\0');
  unsigned length = 0;
  EVP_DigestFinal_ex(digest.get(), reinterpret_cast<unsigned char*>(raw.data()), &length);
  raw.resize(length);
  return raw;
}

//   fd  what the process ran when it was noted: the very file, whatever became of its name; or none
void read_into(recording::v1::ExecutableHash* hash, UniqueFd fd, const std::atomic<bool>& is_stopping) {
  const uint64_t inode = hash->executable().inode();
  uint64_t bytes = 0;
  if (!fd || !is_same_file(fd.get(), inode, hash->ctime_ns(), &bytes)) fd = open_file(hash->executable().path());
  if (!fd || !is_same_file(fd.get(), inode, hash->ctime_ns(), &bytes)) {
    hash->set_error("the file is gone or changed, and the process has ended");
    return;
  }
  hash->set_bytes(bytes);
  const Result<std::string> digest = digest_of(fd, is_stopping);
  uint64_t bytes_after = 0;
  if (!digest) {
    hash->set_error(digest.error().message);
  } else if (!is_same_file(fd.get(), inode, hash->ctime_ns(), &bytes_after)) {
    hash->set_error("the file changed while it was read");
  } else {
    hash->set_sha256(to_hex(*digest));
  }
}

}  // namespace

ExecutableHasher::ExecutableHasher(std::function<void(recording::v1::Event)> sink, const Clock* clock)
    : sink_(std::move(sink)), clock_(clock), thread_([this] { run(); }) {}

ExecutableHasher::~ExecutableHasher() { stop(); }

void ExecutableHasher::stop() {
  if (!thread_.joinable()) return;
  {
    const std::scoped_lock lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ExecutableHasher::note(recording::v1::Exec* exec) {
  if (exec->result() != 0 || exec->executable().inode() == 0) return;
  const recording::v1::KernelPath& file = exec->executable();
  const Key key{.device = uint64_t{file.device_major()} << 32 | file.device_minor(),
                .inode = file.inode(),
                .ctime_ns = exec->executable_ctime_ns()};
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = known_.find(key); found != known_.end()) {
      if (!found->second.empty()) exec->set_executable_sha256(found->second);
      return;
    }
    if (waiting_.size() >= kMaxWaiting || known_.size() >= kMaxKnown) return;
    known_.emplace(key, "");
    // At once: a process may live for a millisecond, and its file no longer.
    Wanted wanted{.key = key, .file = open_file(fmt::format("/proc/{}/exe", exec->process().pid())), .hash = {}};
    *wanted.hash.mutable_executable() = file;
    wanted.hash.set_ctime_ns(key.ctime_ns);
    waiting_.push_back(std::move(wanted));
  }
  changed_.notify_all();
}

bool ExecutableHasher::finish(std::chrono::milliseconds limit) {
  const bool is_idle = await_idle(limit);
  stop();
  return is_idle;
}

bool ExecutableHasher::await_idle(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [&] { return waiting_.empty() && !is_busy_; });
}

void ExecutableHasher::run() {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), kLowestPriority);
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return is_stopping_ || !waiting_.empty(); });
    if (is_stopping_) return;
    Wanted wanted = std::move(waiting_.front());
    waiting_.pop_front();
    is_busy_ = true;
    lock.unlock();
    read_into(&wanted.hash, std::move(wanted.file), is_stopping_);
    if (is_stopping_) return;
    recording::v1::Event event;
    event.set_boot_ns(clock_->boot_ns());
    *event.mutable_executable_hash() = wanted.hash;
    sink_(std::move(event));
    lock.lock();
    is_busy_ = false;
    // What could not be read is tried again when it is run again.
    if (wanted.hash.sha256().empty()) {
      known_.erase(wanted.key);
    } else {
      known_[wanted.key] = wanted.hash.sha256();
    }
    changed_.notify_all();
  }
}

}  // namespace cairn::agent
