#include "recorder/derive/sandboxed_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/file.h"

namespace cairn::recorder {
namespace {

constexpr size_t kMaxSentence = 1024;
constexpr int kSaysWhy = 1;
constexpr int kSaysTooLarge = 2;

// posix_spawn's dup2 of a descriptor onto itself clears close-on-exec; onto another it may overwrite one that is still
// to be moved, so all are moved out of the way first.
class Spawn {
 public:
  Spawn() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    // The limits end it by signals, which the starter may ignore or block: both would be inherited.
    sigset_t set;
    ::sigfillset(&set);
    ::posix_spawnattr_setsigdefault(&attributes_, &set);
    ::sigemptyset(&set);
    ::posix_spawnattr_setsigmask(&attributes_, &set);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  ~Spawn() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&actions_);
  }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;

  Result<void> hand_over(int fd, int as) {
    constexpr int kOutOfTheWay = 10;
    UniqueFd moved(::fcntl(fd, F_DUPFD_CLOEXEC, kOutOfTheWay));
    if (!moved) return fail_errno("descriptor");
    ::posix_spawn_file_actions_adddup2(&actions_, moved.get(), as);
    held_.push_back(std::move(moved));
    return {};
  }

  Result<pid_t> start(const char* name, const std::filesystem::path& program) {
    std::string own_name = name;
    std::array<char*, 2> argv = {own_name.data(), nullptr};
    std::array<char*, 1> environment = {nullptr};
    pid_t child = 0;
    const int failed = ::posix_spawn(&child, program.c_str(), &actions_, &attributes_, argv.data(), environment.data());
    if (failed != 0) return fail(std::error_code(failed, std::generic_category()), "start " + program.string());
    return child;
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
  std::vector<UniqueFd> held_;
};

Result<int> reap(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return fail_errno("waitpid");
  }
  return status;
}

bool ends_within(pid_t child, std::chrono::seconds patience) {
  // By number: sys/pidfd.h of glibc 2.36 forgot extern "C".
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  if (!pidfd) return true;
  pollfd entry{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  const auto deadline = std::chrono::steady_clock::now() + patience;
  int ready = 0;
  do {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    ready = ::poll(&entry, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
  } while (ready < 0 && errno == EINTR);
  return ready != 0;
}

std::string said(int errors) {
  std::string text(kMaxSentence, '\0');
  const ssize_t got = ::pread(errors, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

}  // namespace

Result<UniqueFd> memory_file(std::string_view bytes) {
  UniqueFd file(::memfd_create("cairn", MFD_CLOEXEC));
  if (!file) return fail_errno("memfd_create");
  if (Result<void> written = write_all(file.get(), bytes); !written) return fail(written);
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail_errno("memfd");
  return file;
}

Result<SandboxedProcess> SandboxedProcess::start(const char* name, std::span<const Handed> descriptors,
                                                 const std::filesystem::path& program) {
  Result<UniqueFd> errors = memory_file({});
  if (!errors) return fail(errors);
  Spawn spawn;
  for (const int as : {STDOUT_FILENO, STDERR_FILENO}) {
    if (Result<void> handed = spawn.hand_over(errors->get(), as); !handed) return fail(handed);
  }
  for (const Handed& handed : descriptors) {
    if (handed.fd < 0) continue;
    if (Result<void> done = spawn.hand_over(handed.fd, handed.as); !done) return fail(done);
  }
  const Result<pid_t> child = spawn.start(name, program);
  if (!child) return fail(child);
  return SandboxedProcess(*child, std::move(*errors));
}

SandboxedProcess::SandboxedProcess(SandboxedProcess&& other) noexcept
    : child_(std::exchange(other.child_, 0)), errors_(std::move(other.errors_)) {}

SandboxedProcess::~SandboxedProcess() {
  if (child_ == 0) return;
  ::kill(child_, SIGKILL);
  std::ignore = reap(child_);
}

Result<void> SandboxedProcess::wait(std::string_view work, std::chrono::seconds patience) {
  if (child_ == 0) return fail(Errc::kInternal, "a process was waited for twice");
  const bool is_late = !ends_within(child_, patience);
  if (is_late) ::kill(child_, SIGKILL);
  const Result<int> status = reap(std::exchange(child_, 0));
  if (!status) return fail(status);
  if (is_late) return fail(Errc::kTimeout, fmt::format("{} took more than {} s", work, patience.count()));
  if (WIFEXITED(*status) && WEXITSTATUS(*status) == 0) return {};
  if (WIFSIGNALED(*status)) {
    return fail(Errc::kUnavailable,
                fmt::format("{} was ended by signal {} ({})", work, WTERMSIG(*status), ::strsignal(WTERMSIG(*status))));
  }
  return fail(WEXITSTATUS(*status) == kSaysTooLarge ? Errc::kTooLarge : Errc::kCorrupt, said(errors_.get()));
}

bool is_sandboxed(const char* name, int argc, const char* const* argv) {
  return argc == 1 && std::strcmp(argv[0], name) == 0;
}

void end_sandboxed(const Result<void>& done) {
  if (done) ::_exit(0);
  std::string sentence = done.error().message;
  sentence.resize(std::min(sentence.size(), kMaxSentence));
  std::ignore = write_all(STDERR_FILENO, sentence);
  ::_exit(done.error().code == Errc::kTooLarge ? kSaysTooLarge : kSaysWhy);
}

}  // namespace cairn::recorder
