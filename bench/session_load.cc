// Runs a command in a recorded session, as a worker does, but without SSH:  session_load DIR COMMAND...
// Loads the capture programs under DIR/bpf (or adopts what is pinned there) and records into DIR/UUID.rec. The
// command's output goes where this program's goes. Prints at the end, on standard error, one JSON object of what became
// of the events.
// CAIRN_LOSSLESS in the environment: nothing may be lost, who is too fast is held.
//   session_load DIR --load     loads and pins the programs, and ends;  --unload takes them away
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <thread>

#include <fmt/format.h>

#include "agent/capture/capture_host.h"
#include "agent/session/capture_pump.h"
#include "agent/session/session_recorder.h"
#include "base/bytes.h"
#include "recorder/summary.h"

namespace cairn {
namespace {

[[noreturn]] void die(const std::string& why) {
  std::cerr << "session_load: " << why << "\n";
  std::exit(1);
}

template <class T> T must(Result<T> result) {
  if (!result) die(result.error().message);
  return *std::move(result);
}

// Held at a gate until its task is tagged.
struct Command {
  pid_t pid;
  UniqueFd pidfd;
  UniqueFd gate;
};

Command start(char** argv) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) die("pipe");
  const pid_t pid = ::fork();
  if (pid == 0) {
    char byte = 0;
    if (::read(ends[0], &byte, 1) != 1) ::_exit(126);
    ::execvp(argv[0], argv);
    ::_exit(127);
  }
  ::close(ends[0]);
  return {pid, UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))), UniqueFd(ends[1])};
}

double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

int record(const std::filesystem::path& folder, char** argv) {
  const SystemClock clock;
  const Log log("session_load", LogLevel::kWarn);
  const bool is_lossless = std::getenv("CAIRN_LOSSLESS") != nullptr;
  auto capture = must(agent::SessionCapture::open(
      folder / "bpf", read_le64(random_bytes(8).data()) | 1, {},
      {.loss = is_lossless ? agent::LossPolicy::kLossless : agent::LossPolicy::kAccounted}));
  recording::v1::Begin begin;
  begin.set_session_id(random_uuid());
  begin.set_policy("accounted");
  const std::filesystem::path path = folder / (begin.session_id() + ".rec");
  auto writer = must(recorder::RecordingWriter::create(path, begin, clock.boot_ns(),
                                                       recorder::RecordingOptions{.quota_bytes = uint64_t{8} << 30}));
  agent::SessionRecorder recorder(std::move(writer), &clock, [] {}, log);
  auto pump = must(agent::CapturePump::start(std::move(capture), &recorder, false, [] {}, log));

  const auto started = std::chrono::steady_clock::now();
  Command command = start(argv);
  if (const auto tagged = pump->tag(command.pidfd.get()); !tagged) die(tagged.error().message);
  if (::write(command.gate.get(), "g", 1) != 1) die("open the gate");
  int status = 0;
  ::waitpid(command.pid, &status, 0);
  while (must(pump->counters()).live_tasks != 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;

  const auto counters = must(pump->counters());
  const uint64_t issued = must(pump->finish());
  if (const auto sealed = recorder.seal(recording::v1::END_REASON_COMPLETE, issued, std::chrono::minutes(1)); !sealed) {
    die(sealed.error().message);
  }
  const std::chrono::duration<double> until_sealed = std::chrono::steady_clock::now() - started;
  const recorder::Summary summary = must(recorder::summarize(path));
  const std::string json = fmt::format(
      R"({{"issued": {}, "stored": {}, "missing": {}, "dropped": {}, "folded": {}, "seconds": {:.3f}, )"
      R"("seconds_until_sealed": {:.3f}, "cpu_seconds": {:.3f}, "bytes": {}, "recording": "{}"}})",
      issued, summary.kernel_stored, summary.kernel_missing, counters.dropped, counters.folded, seconds.count(),
      until_sealed.count(), cpu_seconds(), std::filesystem::file_size(path), path.string());
  std::cerr << json << "\n";
  return WEXITSTATUS(status);
}

}  // namespace
}  // namespace cairn

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: session_load DIR --load | --unload | COMMAND...\n";
    return 2;
  }
  const std::filesystem::path folder = std::filesystem::absolute(argv[1]);
  std::filesystem::create_directories(folder);
  const char* tier = std::getenv("CAIRN_TIER");
  if (std::string(argv[2]) == "--unload") {
    const auto unpinned = cairn::agent::unpin_all(folder / "bpf");
    return unpinned ? 0 : 1;
  }
  const auto host = cairn::agent::CaptureHost::start(folder / "bpf", cairn::Log("session_load", cairn::LogLevel::kWarn),
                                                     tier == nullptr ? "" : tier);
  if (!host) {
    std::cerr << "skipped: " << host.error().message << "\n";
    return 77;
  }
  if (std::string(argv[2]) == "--load") return 0;
  return cairn::record(folder, argv + 2);
}
