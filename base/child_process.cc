#include "base/child_process.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include <fmt/format.h>

#include "base/file.h"
#include "base/spawn.h"

namespace cairn {
namespace {

constexpr size_t kMaxSentence = 300;
constexpr std::chrono::milliseconds kLook{100};

Result<std::string> beginning_of(int fd, size_t limit_bytes) {
  std::string text(limit_bytes, '\0');
  size_t have = 0;
  while (have < text.size()) {
    const ssize_t got = ::pread(fd, text.data() + have, text.size() - have, static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read what a command wrote");
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  text.resize(have);
  return text;
}

Result<pid_t> start_shell(const std::string& command, int input, int output, int errors) {
  return spawn({.program = "/bin/sh",
                .arguments = {"sh", "-c", command},
                .environment = own_environment(),
                .descriptors = {{.fd = input, .as = STDIN_FILENO},
                                {.fd = output, .as = STDOUT_FILENO},
                                {.fd = errors, .as = STDERR_FILENO}}});
}

}  // namespace

Result<UniqueFd> memory_file(std::string_view bytes) {
  UniqueFd file(::memfd_create("cairn", MFD_CLOEXEC));
  if (!file) return fail_errno("memfd_create");
  if (Result<void> written = write_all(file.get(), bytes); !written) return fail(written);
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail_errno("memfd");
  return file;
}

Result<int> wait_for_child(pid_t child, std::chrono::seconds patience, const std::atomic<bool>* is_given_up) {
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

Result<std::string> run_command(const std::string& command, std::string_view input, size_t limit_bytes,
                                std::chrono::seconds patience, const std::atomic<bool>* is_given_up) {
  const Result<UniqueFd> given = memory_file(input);
  if (!given) return fail(given);
  const Result<UniqueFd> output = memory_file({});
  if (!output) return fail(output);
  const Result<UniqueFd> errors = memory_file({});
  if (!errors) return fail(errors);
  const Result<pid_t> child = start_shell(command, given->get(), output->get(), errors->get());
  if (!child) return fail(Errc::kUnavailable, child.error().message);
  const Result<int> status = wait_for_child(*child, patience, is_given_up);
  if (!status) return fail(status, command);
  if (!WIFEXITED(*status) || WEXITSTATUS(*status) != 0) {
    const std::string said = beginning_of(errors->get(), kMaxSentence).value_or("");
    return fail(Errc::kUnavailable, fmt::format("{}: {} {}{}{}", command, WIFEXITED(*status) ? "exit status" : "signal",
                                                WIFEXITED(*status) ? WEXITSTATUS(*status) : WTERMSIG(*status),
                                                said.empty() ? "" : ": ", said.substr(0, said.find('\n'))));
  }
  Result<std::string> written = beginning_of(output->get(), limit_bytes + 1);
  if (written && written->size() > limit_bytes)
    return fail(Errc::kTooLarge, fmt::format("{}: wrote more than {} bytes", command, limit_bytes));
  return written;
}

}  // namespace cairn
