#include "agent/supervisor/worker_launcher.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/unique_fd.h"

namespace cairn::agent {
namespace {

// A pipe holds 64 KiB, so the frame fits before anybody reads.
constexpr size_t kMaxStartBytes = 32 * 1024;

class SpawnPlan {
 public:
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
  }
  ~SpawnPlan() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&actions_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  // Returns 0 or the errno value of the call that was refused.
  int prepare(int start_fd) {
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    int refused = ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (refused == 0) refused = ::posix_spawn_file_actions_adddup2(&actions_, STDERR_FILENO, STDOUT_FILENO);
    if (refused == 0) refused = ::posix_spawn_file_actions_adddup2(&actions_, start_fd, kWorkerStartFd);
    // What a library opened without O_CLOEXEC must not reach a process that becomes a user.
    if (refused == 0) refused = ::posix_spawn_file_actions_addclosefrom_np(&actions_, kWorkerStartFd + 1);
    if (refused == 0) refused = ::posix_spawn_file_actions_addchdir_np(&actions_, "/");
    if (refused == 0) refused = ::posix_spawnattr_setsigmask(&attributes_, &none);
    if (refused == 0) refused = ::posix_spawnattr_setsigdefault(&attributes_, &all);
    if (refused == 0) {
      refused =
          ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    }
    return refused;
  }

  int spawn(pid_t* pid, const char* program, char* const* argv) const {
    return ::posix_spawn(pid, program, &actions_, &attributes_, argv, environ);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

// A descriptor from which the frame can be read.
Result<UniqueFd> pipe_with_frame(const std::string& start) {
  if (start.size() > kMaxStartBytes)
    return fail(Errc::kTooLarge, fmt::format("start frame of {} bytes, limit {}", start.size(), kMaxStartBytes));
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno("pipe2");
  UniqueFd reading(ends[0]);
  const UniqueFd writing(ends[1]);
  std::array<char, 4> length{};
  write_be32(length.data(), static_cast<uint32_t>(start.size()));
  if (Result<void> written = write_all(writing.get(), std::string(length.data(), length.size()) + start); !written)
    return fail(written, "start frame");
  return reading;
}

}  // namespace

WorkerLauncher::WorkerLauncher(const asio::any_io_executor& executor, std::vector<std::string> command, Log log)
    : command_(std::move(command)), log_(std::move(log)), child_ended_(executor, SIGCHLD) {}

Result<void> WorkerLauncher::launch(std::string start) {
  const Result<UniqueFd> frame = pipe_with_frame(start);
  if (!frame) return fail(frame);
  SpawnPlan plan;
  if (const int refused = plan.prepare(frame->get()); refused != 0) return fail_errno(refused, "prepare a worker");
  std::vector<char*> argv;
  for (std::string& argument : command_) argv.push_back(argument.data());
  argv.front() = const_cast<char*>("cairn-agent");
  argv.push_back(nullptr);
  pid_t pid = 0;
  if (const int refused = plan.spawn(&pid, command_.front().c_str(), argv.data()); refused != 0)
    return fail_errno(refused, fmt::format("start a worker ({})", command_.front()));
  workers_[pid] = std::chrono::steady_clock::now();
  log_.info("worker.started", kv("pid", pid), kv("running", workers_.size()));
  return {};
}

awaitable<void> WorkerLauncher::reap() {
  for (;;) {
    collect();
    co_await child_ended_.async_wait(kAwait);
  }
}

void WorkerLauncher::collect() {
  for (auto worker = workers_.begin(); worker != workers_.end();) {
    int status = 0;
    // Only our own pids: a library may wait for children of its own.
    const pid_t ended = ::waitpid(worker->first, &status, WNOHANG);
    if (ended == 0) {
      ++worker;
      continue;
    }
    const auto lived = std::chrono::steady_clock::now() - worker->second;
    const std::string how = ended < 0             ? "unknown"
                            : WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                                                  : fmt::format("exit {}", WEXITSTATUS(status));
    const int64_t lived_ms = std::chrono::duration_cast<std::chrono::milliseconds>(lived).count();
    if (status == 0) log_.info("worker.ended", kv("pid", worker->first), kv("how", how), kv("lived_ms", lived_ms));
    if (status != 0) log_.warn("worker.ended", kv("pid", worker->first), kv("how", how), kv("lived_ms", lived_ms));
    worker = workers_.erase(worker);
  }
}

}  // namespace cairn::agent
