// Runs the evasion corpus on this kernel:  run_corpus FOLDER_OF_PROGRAMS [--events] [ROW...]
// Prints a line per row, tab-separated: tier, kernel, row, what was seen (Y, c, - or skip), what was missed. Exit
// status 0 when every program could do its deed, 77 when this host lets nobody load BPF programs.
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <sstream>

#include "agent/capture/capture_host.h"
#include "agent/capture/session_capture.h"
#include "base/unique_fd.h"
#include "tests/evasion/expectation.h"

namespace cairn::evasion {
namespace {

using Path = std::filesystem::path;

constexpr int kSkipped = 77;
constexpr auto kLimit = std::chrono::seconds(60);

struct Outcome {
  Seen seen;
  std::vector<Expectation> expectations;
  int status = 0;
};

struct Pipe {
  UniqueFd read, write;
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    read = UniqueFd(ends[0]);
    write = UniqueFd(ends[1]);
  }
};

// A program, held at a gate until it is tagged.
pid_t start(const Path& program, const char* role, const Path& scratch, int gate, int out_fd, int as_fd) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  char byte = 0;
  if (gate >= 0 && ::read(gate, &byte, 1) != 1) ::_exit(126);
  ::dup2(out_fd, as_fd);
  ::fcntl(as_fd, F_SETFD, 0);  // dup2 of a descriptor to itself leaves close-on-exec
  if (::chdir(scratch.c_str()) != 0) ::_exit(126);
  ::execl(program.c_str(), program.filename().c_str(), role, scratch.c_str(), nullptr);
  ::_exit(127);
}

std::vector<Expectation> read_expectations(int fd) {
  std::string text;
  std::array<char, 65536> buffer{};
  ::lseek(fd, 0, SEEK_SET);
  for (ssize_t bytes = 0; (bytes = ::read(fd, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<size_t>(bytes));
  }
  std::vector<Expectation> expectations;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) expectations.push_back(Expectation::parse(line));
  return expectations;
}

bool is_accounted(const std::vector<uint64_t>& numbers, const agent::SessionCounters& counters) {
  return numbers.size() + counters.dropped == counters.issued && std::ranges::adjacent_find(numbers) == numbers.end() &&
         counters.untagged_children == 0;
}

// Reads until no task of the session lives, then all that is left.
Seen read_session(agent::SessionCapture& session) {
  Seen seen;
  std::vector<uint64_t> numbers;
  const auto keep = [&](recording::v1::Event event) {
    numbers.push_back(event.kernel_seq());
    seen.events.push_back(flatten(event));
  };
  const auto deadline = std::chrono::steady_clock::now() + kLimit;
  while (session.counters()->live_tasks != 0 && std::chrono::steady_clock::now() < deadline) {
    pollfd waited{.fd = session.epoll_fd(), .events = POLLIN, .revents = 0};
    ::poll(&waited, 1, 20);
    if (!session.drain(keep)) break;
  }
  if (!session.stop()) throw std::runtime_error("stop the session");
  for (auto drained = session.drain(keep); drained && *drained != 0;) drained = session.drain(keep);
  std::ranges::sort(numbers);
  seen.is_accounted = is_accounted(numbers, *session.counters());
  return seen;
}

Outcome run_row(const Path& bpf_dir, const Path& program, const Path& scratch, uint64_t key) {
  Pipe announcement;
  const pid_t outside = start(program, "outside", scratch, -1, announcement.write.get(), 4);
  announcement.write.reset();
  char byte = 0;
  if (::read(announcement.read.get(), &byte, 1) != 1) throw std::runtime_error("nobody is ready outside");
  ::setenv("CAIRN_OUTSIDE_PID", std::to_string(outside).c_str(), 1);

  // Rings that hold a whole row: what is judged here is what the hooks see.
  auto session = agent::SessionCapture::open(bpf_dir, key, {.exec_bytes = 4 << 20, .open_bytes = 64 << 20});
  if (!session) throw std::runtime_error(session.error().message);
  const UniqueFd said(::memfd_create("expectations", MFD_CLOEXEC));
  Pipe gate;
  const pid_t inside = start(program, "inside", scratch, gate.read.get(), said.get(), 3);
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, inside, 0)));
  if (const auto tagged = session->tag(pidfd.get()); !tagged) throw std::runtime_error(tagged.error().message);
  if (::write(gate.write.get(), "g", 1) != 1) throw std::runtime_error("open the gate");

  Outcome outcome{.seen = read_session(*session), .expectations = {}, .status = 0};
  ::waitpid(inside, &outcome.status, 0);
  ::kill(outside, SIGKILL);
  ::waitpid(outside, nullptr, 0);
  outcome.expectations = read_expectations(said.get());
  return outcome;
}

struct Cell {
  std::string seen;
  std::string note;
};

void print_events(const Seen& seen) {
  for (const Flat& event : seen.events) {
    for (const auto& [key, value] : event) std::cout << key << "=" << value << " ";
    std::cout << "\n";
  }
}

Cell judge(const Outcome& outcome) {
  if (outcome.status != 0) return {"failed", "status " + std::to_string(outcome.status)};
  bool has_truth = false, has_claim = false, all_truths = true, all_claims = true;
  std::string missed;
  for (const Expectation& expectation : outcome.expectations) {
    if (expectation.level == Expectation::Level::kSkip) return {"skip", expectation.text};
    const bool is_truth = expectation.level == Expectation::Level::kTruth;
    const bool is_met = expectation.is_met_by(outcome.seen);
    (is_truth ? has_truth : has_claim) = true;
    if (!is_met) (is_truth ? all_truths : all_claims) = false;
    if (!is_met && missed.size() < 2000) missed += (missed.empty() ? "missed: " : " | ") + expectation.text;
  }
  if (!outcome.seen.is_accounted) return {"failed", "numbers are missing that were not counted"};
  std::ranges::replace(missed, '\t', ' ');
  if (has_truth && all_truths && (!has_claim || all_claims)) return {"Y", missed};
  if (has_claim && all_claims) return {"c", missed};
  return {"-", missed};
}

int run(const std::vector<std::string>& arguments) {
  const bool shows_events = arguments.size() > 1 && arguments[1] == "--events";
  const std::vector<std::string> rows(arguments.begin() + (shows_events ? 2 : 1), arguments.end());
  std::string folder = "/tmp/cairn-evasion-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) throw std::runtime_error("mkdtemp");
  const char* pins_that_stay = std::getenv("CAIRN_PINS");
  const Path bpf_dir = pins_that_stay != nullptr ? Path(pins_that_stay) : Path(folder) / "bpf";
  const char* tier = std::getenv("CAIRN_TIER");
  auto host = agent::CaptureHost::start(bpf_dir, Log("evasion", LogLevel::kWarn), tier == nullptr ? "" : tier);
  if (!host) {
    std::cerr << "skipped: " << host.error().message << "\n";
    return kSkipped;
  }
  std::vector<Path> programs;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::canonical(arguments[0]))) {
    const std::string name = entry.path().filename();
    const bool is_wanted =
        rows.empty() || std::ranges::any_of(rows, [&](const std::string& row) { return name.starts_with(row); });
    if (is_wanted && std::isdigit(static_cast<unsigned char>(name[0])) != 0) programs.push_back(entry.path());
  }
  std::ranges::sort(programs);

  utsname kernel{};
  ::uname(&kernel);
  bool has_failed = programs.empty();
  uint64_t key = 1;
  for (const Path& program : programs) {
    const Path scratch = Path(folder) / program.filename();
    std::filesystem::create_directory(scratch);
    Cell cell{"failed", ""};
    try {
      const Outcome outcome = run_row(bpf_dir, program, std::filesystem::canonical(scratch), key++);
      if (shows_events) print_events(outcome.seen);
      cell = judge(outcome);
    } catch (const std::exception& error) {
      cell.note = error.what();
    }
    has_failed = has_failed || cell.seen == "failed";
    std::cout << "cell\t" << host->status().tier << "\t" << kernel.release << "\t" << program.filename().string()
              << "\t" << cell.seen << "\t" << cell.note << std::endl;
  }
  if (pins_that_stay == nullptr) static_cast<void>(agent::unpin_all(bpf_dir));
  std::filesystem::remove_all(folder);
  return has_failed ? 1 : 0;
}

}  // namespace
}  // namespace cairn::evasion

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: run_corpus FOLDER_OF_PROGRAMS [--events] [ROW...]\n";
    return 2;
  }
  return cairn::evasion::run({argv + 1, argv + argc});
}
