#include "agent/capture/executable_hasher.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
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

// Where stat(2) shows another device than the kernel's own (btrfs, overlayfs), no file is the same: what another file
// system claims of inode and ctime proves nothing.
bool is_same_file(const UniqueFd& fd, const recording::v1::ExecutableHash& hash, uint64_t* bytes) {
  struct stat found{};
  if (!fd || ::fstat(fd.get(), &found) != 0 || !S_ISREG(found.st_mode)) return false;
  *bytes = static_cast<uint64_t>(found.st_size);
  const int64_t ctime = found.st_ctim.tv_sec * kNsPerS + found.st_ctim.tv_nsec;
  return major(found.st_dev) == hash.executable().device_major() &&
         minor(found.st_dev) == hash.executable().device_minor() && found.st_ino == hash.executable().inode() &&
         (hash.ctime_ns() == 0 || ctime == hash.ctime_ns());
}

// Names the file and asks its file system for nothing: a session may run what lies on one that never answers.
UniqueFd name_file(const std::string& path) { return UniqueFd(::open(path.c_str(), O_PATH | O_CLOEXEC)); }

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

//   named  what the process ran when it was noted: the very file, whatever became of its path; or none
void read_into(recording::v1::ExecutableHash* hash, UniqueFd named, const std::atomic<bool>& is_stopping) {
  uint64_t bytes = 0;
  if (!is_same_file(named, *hash, &bytes)) named = name_file(hash->executable().path());
  if (!is_same_file(named, *hash, &bytes)) {
    hash->set_error("the file is gone or changed, and the process has ended");
    return;
  }
  hash->set_bytes(bytes);
  const UniqueFd fd(::open(fmt::format("/proc/self/fd/{}", named.get()).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  const Result<std::string> digest = fd ? digest_of(fd, is_stopping) : fail_errno("open");
  if (!digest) {
    hash->set_error(digest.error().message);
  } else if (!is_same_file(fd, *hash, &bytes)) {
    hash->set_error("the file changed while it was read");
  } else {
    hash->set_sha256(to_hex(*digest));
  }
}

}  // namespace

struct ExecutableHasher::State {
  State(Sink to, const Clock* by) : sink(std::move(to)), clock(by) {}

  void run();

  Sink sink;           // with `mutex` held, and never once is_stopping
  const Clock* clock;  // likewise
  std::mutex mutex;
  std::condition_variable changed;
  std::map<Key, std::string> known;  // empty: waits, or could not be read
  std::deque<Wanted> waiting;
  bool is_busy = false;
  std::atomic<bool> is_stopping = false;  // set with `mutex` held
};

ExecutableHasher::ExecutableHasher(Sink sink, const Clock* clock)
    : state_(std::make_shared<State>(std::move(sink), clock)), thread_([state = state_] { state->run(); }) {}

ExecutableHasher::~ExecutableHasher() { stop(); }

void ExecutableHasher::stop() {
  if (!thread_.joinable()) return;
  {
    const std::scoped_lock lock(state_->mutex);
    state_->is_stopping = true;
  }
  state_->changed.notify_all();
  thread_.detach();  // it may wait for a file system that never answers; what it needs is its own
}

void ExecutableHasher::note(recording::v1::Exec* exec) {
  if (exec->result() != 0 || exec->executable().inode() == 0) return;
  const recording::v1::KernelPath& file = exec->executable();
  const Key key{.device = uint64_t{file.device_major()} << 32 | file.device_minor(),
                .inode = file.inode(),
                .ctime_ns = exec->executable_ctime_ns()};
  {
    const std::scoped_lock lock(state_->mutex);
    if (const auto found = state_->known.find(key); found != state_->known.end()) {
      if (!found->second.empty()) exec->set_executable_sha256(found->second);
      return;
    }
    if (state_->waiting.size() >= kMaxWaiting || state_->known.size() >= kMaxKnown) return;
    state_->known.emplace(key, "");
    // At once: a process may live for a millisecond, and its file no longer.
    Wanted wanted{.key = key, .named = name_file(fmt::format("/proc/{}/exe", exec->process().pid())), .hash = {}};
    *wanted.hash.mutable_executable() = file;
    wanted.hash.set_ctime_ns(key.ctime_ns);
    state_->waiting.push_back(std::move(wanted));
  }
  state_->changed.notify_all();
}

bool ExecutableHasher::finish(std::chrono::milliseconds limit) {
  const bool is_idle = await_idle(limit);
  stop();
  return is_idle;
}

bool ExecutableHasher::await_idle(std::chrono::milliseconds limit) {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, limit, [&] { return state_->waiting.empty() && !state_->is_busy; });
}

void ExecutableHasher::State::run() {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), kLowestPriority);
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [&] { return is_stopping || !waiting.empty(); });
    if (is_stopping) return;
    Wanted wanted = std::move(waiting.front());
    waiting.pop_front();
    is_busy = true;
    lock.unlock();
    read_into(&wanted.hash, std::move(wanted.named), is_stopping);
    lock.lock();
    is_busy = false;
    if (is_stopping) return;
    // What could not be read is tried again when it is run again.
    if (wanted.hash.sha256().empty()) {
      known.erase(wanted.key);
    } else {
      known[wanted.key] = wanted.hash.sha256();
    }
    recording::v1::Event event;
    event.set_boot_ns(clock->boot_ns());
    *event.mutable_executable_hash() = std::move(wanted.hash);
    sink(std::move(event));
    changed.notify_all();
  }
}

}  // namespace cairn::agent
