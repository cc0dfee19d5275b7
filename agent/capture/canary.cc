#include "agent/capture/canary.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <functional>
#include <set>
#include <utility>

#include "agent/capture/session_capture.h"
#include "base/bytes.h"
#include "base/unique_fd.h"

namespace cairn::agent {
namespace {

using recording::v1::Event;

constexpr std::chrono::seconds kLimit{5};
constexpr RingSizes kRings{.exec_bytes = 16 * 1024, .open_bytes = 16 * 1024};
constexpr int kNotExecuted = 127;
constexpr const char* kNowhere = "/nonexistent/cairn-canary";

struct Class {
  const char* name;
  std::string_view hook;  // without it the class is not expected; empty: every tier has it
  bool (*is_it)(const Event&);
};

bool is_datagram(const Event& event) {
  return event.has_socket() && event.socket().action() == recording::v1::SOCKET_ACTION_SEND;
}

constexpr std::array kClasses = {
    Class{"exec", "", [](const Event& event) { return event.has_exec() && event.exec().result() == 0; }},
    Class{"failed exec", "", [](const Event& event) { return event.has_exec() && event.exec().result() < 0; }},
    Class{"exit", "", [](const Event& event) { return event.has_process_exit(); }},
    Class{"open", "", [](const Event& event) { return event.has_open() && event.open().has_file(); }},
    Class{"failed open", "", [](const Event& event) { return event.has_open() && event.open().result() < 0; }},
    Class{"change", "", [](const Event& event) { return event.has_change(); }},
    Class{"connect", "", [](const Event& event) { return event.has_connect(); }},
    Class{"socket", "", [](const Event& event) { return event.has_socket() && !is_datagram(event); }},
    Class{"datagram", "on_datagram_4", is_datagram},
    Class{"tamper", "", [](const Event& event) { return event.has_tamper(); }},
};

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// One operation of each class, none of which changes anything. False: this host did not let them be done (no process,
// no descriptor, no port), so that their events are missing with good reason. In a child of a process with threads:
// system calls alone.
bool do_one_of_each(char* const* program) {
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::open(kNowhere, O_RDONLY | O_CLOEXEC);
  ::unlink(kNowhere);
  const sockaddr_in discard = loopback(9);
  const auto* address = reinterpret_cast<const sockaddr*>(&discard);
  const int stream = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool has_tried = ::connect(stream, address, sizeof(discard)) == 0 || errno == ECONNREFUSED;
  sockaddr_un unnamed{};
  unnamed.sun_family = AF_UNIX;
  const int local = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ::bind(local, reinterpret_cast<const sockaddr*>(&unnamed), sizeof(unnamed.sun_family));
  ::syscall(SYS_bpf, -1, nullptr, 0);
  ::execv(kNowhere, program);
  const pid_t child = ::_Fork();
  if (child == 0) {
    ::execv(program[0], program);
    ::_exit(kNotExecuted);
  }
  const int datagrams = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const bool has_sent = ::sendto(datagrams, "", 0, 0, address, sizeof(discard)) == 0 || errno == ECONNREFUSED;
  int status = 0;
  const bool has_executed =
      child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) != kNotExecuted;
  return null >= 0 && local >= 0 && has_tried && has_sent && has_executed;
}

// Held at a gate until it is tagged.
class Bird {
 public:
  explicit Bird(const std::vector<std::string>& program) {
    std::vector<char*> argv;
    for (const std::string& argument : program) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return;
    pid_ = ::_Fork();
    if (pid_ == 0) {
      ::close(ends[1]);
      char byte = 0;
      if (::read(ends[0], &byte, 1) != 1) ::_exit(1);
      ::_exit(do_one_of_each(argv.data()) ? 0 : 1);
    }
    ::close(ends[0]);
    gate_ = UniqueFd(ends[1]);
    pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  }
  ~Bird() { static_cast<void>(has_done_all()); }
  Bird(const Bird&) = delete;

  int pidfd() const { return pidfd_.get(); }
  void fly() { (void)!::write(gate_.get(), "g", 1); }
  void end() const { ::kill(pid_, SIGKILL); }
  // Waits for its end.
  bool has_done_all() {
    gate_.reset();
    int status = 1;
    if (pid_ > 0) ::waitpid(std::exchange(pid_, -1), &status, 0);
    return status == 0;
  }

 private:
  pid_t pid_ = -1;
  UniqueFd gate_;
  UniqueFd pidfd_;
};

}  // namespace

std::string canary_class_names(uint64_t classes) {
  std::string names;
  for (size_t i = 0; i < kClasses.size(); ++i) {
    if ((classes >> i & 1) != 0) names += (names.empty() ? "" : ", ") + std::string(kClasses[i].name);
  }
  return names;
}

Result<Canary> Canary::open(const std::filesystem::path& bpf_dir, std::vector<std::string> program,
                            uint64_t session_key) {
  Result<SessionCapture> capture = SessionCapture::open(bpf_dir, session_key, kRings, {.stream = EventStream::kFull});
  if (!capture) return fail(capture);
  return Canary(*std::move(capture), std::move(program));
}

Result<CanaryReport> Canary::sing() {
  Bird bird(program_);
  if (bird.pidfd() < 0) return fail_errno("start the canary");
  if (Result<void> tagged = capture_.tag(bird.pidfd()); !tagged) return fail(tagged, "tag the canary");
  bird.fly();

  std::set<std::string> seen;
  const auto note = [&](const Event& event) {
    for (const Class& one : kClasses) {
      if (one.is_it(event)) seen.insert(one.name);
    }
  };
  const auto deadline = std::chrono::steady_clock::now() + kLimit;
  for (;;) {
    if (const Result<size_t> drained = capture_.drain(note); !drained) return fail(drained);
    const Result<SessionCounters> counters = capture_.counters();
    if (!counters) return fail(counters);
    if (counters->live_tasks == 0) break;
    if (std::chrono::steady_clock::now() > deadline) {
      bird.end();
      return fail(Errc::kUnavailable, "the canary of the capture did not end");
    }
    pollfd ring{.fd = capture_.epoll_fd(), .events = POLLIN, .revents = 0};
    ::poll(&ring, 1, 5);
  }
  // Who is dead has made all his events.
  for (Result<size_t> drained = capture_.drain(note); drained && *drained != 0;) drained = capture_.drain(note);

  if (!bird.has_done_all()) {
    return fail(Errc::kUnavailable, "the canary of the capture could not do all its operations on this host");
  }

  CanaryReport report;
  const std::vector<std::string>& hooks = capture_.status().hooks;
  for (size_t i = 0; i < kClasses.size(); ++i) {
    const Class& one = kClasses[i];
    if (seen.contains(one.name)) {
      report.seen.emplace_back(one.name);
    } else if (one.hook.empty() || std::ranges::find(hooks, one.hook) != hooks.end()) {
      report.missed.emplace_back(one.name);
      report.missed_classes |= uint64_t{1} << i;
    }
  }
  return report;
}

Result<CanaryReport> run_canary(const std::filesystem::path& bpf_dir, const std::vector<std::string>& program) {
  Result<Canary> canary = Canary::open(bpf_dir, program, read_le64(random_bytes(8).data()) | 1);
  if (!canary) return fail(canary);
  return canary->sing();
}

}  // namespace cairn::agent
