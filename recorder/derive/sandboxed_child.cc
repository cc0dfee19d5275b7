#include "recorder/derive/sandboxed_child.h"

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
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/unique_fd.h"

namespace cairn::recorder {
namespace {

constexpr int kErrors = STDERR_FILENO;
constexpr size_t kMaxSentence = 1024;
constexpr std::chrono::milliseconds kLook{100};

Result<UniqueFd> memory_file(std::string_view bytes) {
  UniqueFd file(::memfd_create("cairn", MFD_CLOEXEC));
  if (!file) return fail_errno("memfd_create");
  if (Result<void> written = write_all(file.get(), bytes); !written) return fail(written);
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail_errno("memfd");
  return file;
}

// posix_spawn's dup2 of a descriptor onto itself clears close-on-exec; onto another it may overwrite one that is still
// to be moved, so all are moved out of the way first.
class Spawn {
 public:
  Spawn() { ::posix_spawn_file_actions_init(&actions_); }
  ~Spawn() { ::posix_spawn_file_actions_destroy(&actions_); }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;

  Result<void> hand_over(int fd, int as) {
    constexpr int kOutOfTheWay = 10;
    UniqueFd moved(::fcntl(fd, F_DUPFD_CLOEXEC, kOutOfTheWay));
    if (!moved) return fail_errno("descriptor");
    ::posix_spawn_file_actions_adddup2(&actions_, moved.get(), as);
    held_[count_++] = std::move(moved);
    return {};
  }

  Result<pid_t> start(const std::filesystem::path& program, std::string name) {
    std::array<char*, 2> argv = {name.data(), nullptr};
    std::array<char*, 1> environment = {nullptr};
    pid_t child = 0;
    const int failed = ::posix_spawn(&child, program.c_str(), &actions_, nullptr, argv.data(), environment.data());
    if (failed != 0) return fail(std::error_code(failed, std::generic_category()), "start " + program.string());
    return child;
  }

 private:
  posix_spawn_file_actions_t actions_{};
  std::array<UniqueFd, 8> held_;
  size_t count_ = 0;
};

Result<int> wait_for(pid_t child, std::chrono::seconds patience, const std::atomic<bool>* is_given_up) {
  // By number: sys/pidfd.h of glibc 2.36 forgot extern "C".
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  bool is_late = false;
  bool is_ending = false;
  if (pidfd) {
    pollfd entry{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
    const auto deadline = std::chrono::steady_clock::now() + patience;
    int ready = 0;
    do {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      is_late = left.count() <= 0;
      is_ending = is_given_up != nullptr && *is_given_up;
      const auto step = is_given_up == nullptr ? left : std::min(left, kLook);
      ready = ::poll(&entry, 1, is_ending ? 0 : static_cast<int>(std::max<int64_t>(step.count(), 0)));
    } while ((ready < 0 && errno == EINTR) || (ready == 0 && !is_late && !is_ending));
    is_late = is_late && ready == 0;
    is_ending = is_ending && ready == 0;
  }
  if (is_late || is_ending) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return fail_errno("waitpid");
  }
  if (is_late) return fail(Errc::kTimeout, fmt::format("it took more than {} s", patience.count()));
  if (is_ending) return fail(Errc::kClosed, "it was given up, since the program ends");
  return status;
}

std::string said(int errors) {
  std::string text(kMaxSentence, '\0');
  const ssize_t got = ::pread(errors, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

}  // namespace

Result<void> run_child(const ChildJob& job) {
  const Result<UniqueFd> input = memory_file(job.input);
  if (!input) return fail(input);
  const Result<UniqueFd> errors = memory_file({});
  if (!errors) return fail(errors);
  Spawn spawn;
  for (const auto& [fd, as] : {std::pair(input->get(), STDIN_FILENO), std::pair(errors->get(), STDOUT_FILENO),
                               std::pair(errors->get(), kErrors)}) {
    if (Result<void> handed = spawn.hand_over(fd, as); !handed) return handed;
  }
  for (const ChildDescriptor& each : job.descriptors) {
    if (each.fd < 0) continue;
    if (Result<void> handed = spawn.hand_over(each.fd, each.as); !handed) return handed;
  }
  const Result<pid_t> child = spawn.start(job.program, job.name);
  if (!child) return fail(child);
  const Result<int> status = wait_for(*child, job.patience, job.is_given_up);
  if (!status) return fail(status, job.name);
  if (WIFEXITED(*status) && WEXITSTATUS(*status) == 0) return {};
  if (WIFSIGNALED(*status)) {
    return fail(Errc::kUnavailable, fmt::format("{} was ended by signal {} ({})", job.name, WTERMSIG(*status),
                                                ::strsignal(WTERMSIG(*status))));
  }
  return fail(Errc::kCorrupt, said(errors->get()));
}

bool is_child(const char* name, int argc, const char* const* argv) {
  return argc == 1 && std::strcmp(argv[0], name) == 0;
}

Result<std::string> child_input(size_t least_bytes, size_t most_bytes) {
  std::string input;
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read the request");
    if (got == 0) break;
    input.append(buffer.data(), static_cast<size_t>(got));
    if (input.size() > most_bytes) return fail(Errc::kTooLarge, "the request is too large");
  }
  if (input.size() < least_bytes)
    return fail(Errc::kInvalid, "no request on standard input; this program is started by Cairn itself");
  return input;
}

void end_child(const Result<void>& done) {
  if (done) ::_exit(0);
  std::string sentence = done.error().message;
  sentence.resize(std::min(sentence.size(), kMaxSentence));
  static_cast<void>(write_all(kErrors, sentence));
  ::_exit(1);
}

std::string encode_limits(const SandboxLimits& limits) {
  std::string bytes(kLimitsBytes, '\0');
  write_le64(bytes.data(), static_cast<uint64_t>(limits.cpu.count()));
  write_le64(bytes.data() + 8, limits.memory_bytes);
  write_le64(bytes.data() + 16, limits.file_bytes);
  return bytes;
}

SandboxLimits decode_limits(std::string_view input) {
  return {.cpu = std::chrono::seconds(read_le64(input.data())),
          .memory_bytes = read_le64(input.data() + 8),
          .file_bytes = read_le64(input.data() + 16)};
}

}  // namespace cairn::recorder
