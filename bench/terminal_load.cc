// What bench/recorder runs.
//   terminal_load drive COMMAND…            COMMAND on an 80x24 PTY whose output is drained; says what it took
//   terminal_load keys N COMMAND…           the same, and N keys are typed: how long until each is echoed
//   terminal_load relay COMMAND…            COMMAND on a PTY of its own, relayed to ours: the floor of every recorder
//   terminal_load record FOLDER COMMAND…    the same relay, recorded: compressed, encrypted, signed, in the spool
//   terminal_load store FOLDER FILE [AGE]   FILE's timed writes ("seconds bytes" and the bytes) recorded as if they
//                                           came so, encrypted to that recipient
//   terminal_load archive FILE KEYS LEVEL   that recording recompressed at a level of zstd: how large, how long, and
//                                           the most that a jump has to read of it. KEYS: a file of age identities
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/session/session_recorder.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "recorder/archive/recompress.h"
#include "recorder/chunk_content.h"

namespace {

using namespace cairn;
using Clock = std::chrono::steady_clock;

constexpr size_t kReadBytes = 65536;

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "terminal_load: %s\n", why.c_str());
  std::exit(1);
}

template <class T> T must(Result<T> result) {
  if (!result) die(result.error().message);
  return std::move(*result);
}
void must(const Result<void>& result) {
  if (!result) die(result.error().message);
}

struct Child {
  pid_t pid = -1;
  int master = -1;
};

Child start(char** command, bool is_raw) {
  winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
  termios modes{};
  ::cfmakeraw(&modes);
  Child child;
  child.pid = ::forkpty(&child.master, nullptr, is_raw ? &modes : nullptr, &size);
  if (child.pid < 0) die("forkpty");
  if (child.pid == 0) {
    ::execvp(command[0], command);
    ::_exit(127);
  }
  return child;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

int wait_for(const Child& child) {
  int status = 0;
  ::waitpid(child.pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int drive(char** command) {
  const auto begun = Clock::now();
  const Child child = start(command, false);
  std::array<char, kReadBytes> buffer;
  uint64_t bytes = 0;
  for (;;) {
    const ssize_t got = ::read(child.master, buffer.data(), buffer.size());
    if (got <= 0) break;
    bytes += static_cast<uint64_t>(got);
  }
  const int status = wait_for(child);
  const double wall = std::chrono::duration<double>(Clock::now() - begun).count();
  double cpu = 0;
  for (const auto whose : {RUSAGE_CHILDREN, RUSAGE_SELF}) {
    rusage used{};
    ::getrusage(whose, &used);
    cpu += seconds(used.ru_utime) + seconds(used.ru_stime);
  }
  std::printf("{\"status\": %d, \"bytes\": %llu, \"wall_s\": %.4f, \"cpu_s\": %.4f}\n", status,
              static_cast<unsigned long long>(bytes), wall, cpu);
  return 0;
}

bool wait_readable(int fd, int limit_ms) {
  pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&ready, 1, limit_ms) == 1;
}

int type_keys(int count, char** command) {
  const Child child = start(command, true);
  std::array<char, kReadBytes> buffer;
  while (wait_readable(child.master, 1000)) (void)!::read(child.master, buffer.data(), buffer.size());
  std::vector<double> took_us;
  for (int i = 0; i < count; ++i) {
    const auto begun = Clock::now();
    const char key = static_cast<char>('a' + i % 26);
    (void)!::write(child.master, &key, 1);
    if (!wait_readable(child.master, 5000) || ::read(child.master, buffer.data(), buffer.size()) <= 0) die("no echo");
    took_us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begun).count());
    ::usleep(500);
  }
  ::kill(child.pid, SIGKILL);
  std::ranges::sort(took_us);
  std::printf("{\"p50_us\": %.1f, \"p99_us\": %.1f}\n", took_us[took_us.size() / 2],
              took_us[took_us.size() * 99 / 100]);
  return 0;
}

recording::v1::Begin begin_of(const std::string& id) {
  recording::v1::Begin begin;
  begin.set_session_id(id);
  begin.set_cluster("bench");
  begin.set_node_id(random_uuid());
  begin.set_node_name("bench");
  begin.set_user("bench");
  begin.set_login("bench");
  return begin;
}

// To the recipient, or to nobody.
recorder::RecordingOptions sealed(const std::string& recipient = {}) {
  recorder::RecordingOptions options;
  options.quota_bytes = uint64_t{8} << 30;
  options.keys = std::make_unique<const recorder::RecordingKeys>(
      recorder::RecordingKeys::make({recipient.empty() ? recorder::AgeIdentity::generate().recipient()
                                                       : must(recorder::AgeRecipient::parse(recipient))}));
  options.signer.emplace(recorder::Ed25519Key::generate(), "");
  return options;
}

recording::v1::Event output_event(uint64_t boot_ns, std::string_view data) {
  recording::v1::Event event;
  event.set_boot_ns(boot_ns);
  event.mutable_output()->set_stream(recording::v1::STREAM_TERMINAL);
  event.mutable_output()->set_data(data.data(), data.size());
  return event;
}

std::unique_ptr<agent::SessionRecorder> recorder_in(const std::string& folder, const SystemClock& clock) {
  const std::string id = random_uuid();
  auto writer = must(recorder::RecordingWriter::create(std::filesystem::path(folder) / (id + ".rec"), begin_of(id),
                                                       {clock.boot_ns(), clock.mono_ns(), clock.wall_ns()}, sealed()));
  return std::make_unique<agent::SessionRecorder>(std::move(writer), &clock, [] {}, Log("bench", LogLevel::kError));
}

// Bytes are recorded and go on then, as in the worker.
int relay(char** command, agent::SessionRecorder* recorder, const SystemClock& clock) {
  termios modes{};
  if (::tcgetattr(STDIN_FILENO, &modes) == 0) {
    ::cfmakeraw(&modes);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &modes);
  }
  const Child child = start(command, false);
  std::array<char, kReadBytes> buffer;
  bool has_input = true;
  for (;;) {
    const bool has_room = recorder == nullptr || recorder->has_room();
    pollfd ready[2] = {{.fd = child.master, .events = static_cast<short>(has_room ? POLLIN : 0), .revents = 0},
                       {.fd = has_input ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0}};
    if (::poll(ready, 2, has_room ? -1 : 1) < 0 && errno != EINTR) break;
    if ((ready[1].revents & (POLLIN | POLLHUP)) != 0) {
      const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
      if (got <= 0) has_input = false;
      if (got > 0) must(write_all(child.master, {buffer.data(), static_cast<size_t>(got)}));
    }
    if ((ready[0].revents & (POLLIN | POLLHUP)) == 0) continue;
    const ssize_t got = ::read(child.master, buffer.data(), buffer.size());
    if (got <= 0) break;
    const std::string_view data(buffer.data(), static_cast<size_t>(got));
    if (recorder != nullptr) recorder->add_output(clock.boot_ns(), 0, recording::v1::STREAM_TERMINAL, data);
    must(write_all(STDOUT_FILENO, data));
  }
  const int status = wait_for(child);
  if (recorder != nullptr) {
    must(recorder->seal(recording::v1::END_REASON_COMPLETE, 0, std::chrono::seconds(1)));
  }
  return status;
}

// Without waiting: the times are those of the file.
int store(const std::string& folder, const std::string& file, const std::string& recipient) {
  std::ifstream in(file, std::ios::binary);
  const std::string id = random_uuid();
  constexpr uint64_t kStartNs = 1'000'000'000'000;
  auto writer = must(recorder::RecordingWriter::create(std::filesystem::path(folder) / (id + ".rec"), begin_of(id),
                                                       kStartNs, sealed(recipient)));
  double at_s = 0;
  size_t bytes = 0;
  uint64_t raw = 0;
  uint64_t now = kStartNs;
  std::string data;
  while (in >> at_s >> bytes) {
    in.get();
    data.resize(bytes);
    in.read(data.data(), static_cast<std::streamsize>(bytes));
    const uint64_t at = kStartNs + static_cast<uint64_t>(at_s * 1e9);
    for (; now + 100'000'000 < at; now += 100'000'000) must(writer.flush(now));
    writer.add(output_event(at, data));
    raw += bytes;
  }
  must(writer.seal(recording::v1::END_REASON_COMPLETE, 0, now + 1'000'000'000));
  std::printf("{\"session\": \"%s\", \"raw\": %llu, \"stored\": %llu}\n", id.c_str(),
              static_cast<unsigned long long>(raw), static_cast<unsigned long long>(writer.bytes()));
  return 0;
}

double processor_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

uint64_t status_kib(const std::string& name) {
  std::ifstream status("/proc/self/status");
  std::string word;
  uint64_t kib = 0;
  while (status >> word && word != name) {
  }
  status >> kib;
  return kib;
}

int archive(const std::string& file, const std::string& identities, int level) {
  const std::string bytes = must(read_file(file, size_t{4} << 30));
  const auto keys = must(recorder::parse_identities(must(read_file(identities, 65536))));
  std::optional<recorder::RecordingKeys> opened;
  uint64_t raw = 0;
  uint64_t stored = 0;
  size_t largest = 0;
  double took_s = 0;
  double read_s = 0;
  std::ofstream("/proc/self/clear_refs") << 5;  // the peak begins anew (proc(5))
  const uint64_t resident_kib = status_kib("VmRSS:");
  for (std::string_view rest = bytes; !rest.empty();) {
    const size_t size = must(recorder::parse_chunk_header(rest)).size();
    const recorder::ChunkView chunk = must(recorder::check_chunk(rest.substr(0, size)));
    rest.remove_prefix(size);
    if (!opened) opened.emplace(must(recorder::open_secret(must(recorder::read_opening(chunk)).sealed_secret(), keys)));
    const double begun = processor_seconds();
    const std::string shorter = must(recorder::recompress_chunk(chunk, &*opened, level));
    took_s += processor_seconds() - begun;
    stored += shorter.size();
    largest = std::max(largest, shorter.size());
    if (chunk.header.type != recorder::ChunkType::kEvents) continue;
    const double again = processor_seconds();
    raw += must(recorder::read_raw(must(recorder::check_chunk(shorter)), &*opened)).size();
    read_s += processor_seconds() - again;
  }
  std::printf(
      "{\"raw\": %llu, \"live\": %llu, \"stored\": %llu, \"largest\": %llu, \"cpu_s\": %.4f, \"read_s\": %.4f, "
      "\"rss_kib\": %llu}\n",
      static_cast<unsigned long long>(raw), static_cast<unsigned long long>(bytes.size()),
      static_cast<unsigned long long>(stored), static_cast<unsigned long long>(largest), took_s, read_s,
      static_cast<unsigned long long>(status_kib("VmHWM:") - resident_kib));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 2 ? argv[1] : "";
  const SystemClock clock;
  if (mode == "drive") return drive(argv + 2);
  if (mode == "keys" && argc > 3) return type_keys(std::atoi(argv[2]), argv + 3);
  if (mode == "relay") return relay(argv + 2, nullptr, clock);
  if (mode == "record" && argc > 3) {
    const auto recorder = recorder_in(argv[2], clock);
    return relay(argv + 3, recorder.get(), clock);
  }
  if (mode == "store" && argc > 3) return store(argv[2], argv[3], argc > 4 ? argv[4] : "");
  if (mode == "archive" && argc > 4) return archive(argv[2], argv[3], std::atoi(argv[4]));
  die("drive, keys, relay, record, store or archive");
}
