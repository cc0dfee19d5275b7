#include "agent/supervisor/worker_launcher.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/spawn.h"
#include "base/unique_fd.h"

namespace cairn::agent {
namespace {

// A pipe holds 64 KiB, so the frame fits before anybody reads.
constexpr size_t kMaxStartBytes = 32 * 1024;

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
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) return fail_errno("open /dev/null");
  SpawnPlan plan{.program = command_.front(),
                 .arguments = command_,
                 .environment = own_environment(),
                 .descriptors = {{.fd = null.get(), .as = STDIN_FILENO},
                                 {.fd = STDERR_FILENO, .as = STDOUT_FILENO},
                                 {.fd = STDERR_FILENO, .as = STDERR_FILENO},
                                 {.fd = frame->get(), .as = kWorkerStartFd}},
                 .leads_session = true,
                 .begins_at_root = true};
  plan.arguments.front() = "cairn-agent";
  const Result<pid_t> started = spawn(plan);
  if (!started) return fail(started, "worker");
  const pid_t pid = *started;
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
