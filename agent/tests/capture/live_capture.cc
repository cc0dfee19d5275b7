#include "agent/tests/capture/live_capture.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>

#include "base/bytes.h"

namespace cairn::agent {
namespace {

using recording::v1::Event;

constexpr auto kSoonEnough = std::chrono::seconds(30);

template <class T, class Get> std::vector<T> of_kind(const std::vector<Event>& events, Event::KindCase kind, Get get) {
  std::vector<T> found;
  for (const Event& event : events) {
    if (event.kind_case() == kind) found.push_back(get(event));
  }
  return found;
}

template <class Keep> std::vector<recording::v1::Open> only(std::vector<recording::v1::Open> opens, Keep keep) {
  std::erase_if(opens, [&](const auto& open) { return !keep(open); });
  return opens;
}

std::filesystem::path make_folder() {
  std::string name = "/tmp/cairn-capture-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) abort();
  return std::filesystem::canonical(name);
}

// Where the pins for all tests of this program stand; gone with its end.
class SharedPins {
 public:
  static const std::filesystem::path& folder() {
    static const SharedPins shared;
    return shared.folder_;
  }
  SharedPins(const SharedPins&) = delete;

 private:
  SharedPins() : folder_(make_folder()) {}
  ~SharedPins() {
    static_cast<void>(unpin_all(folder_ / "bpf"));  // a destructor has nobody to tell
    std::error_code failed;
    std::filesystem::remove_all(folder_, failed);
  }

  std::filesystem::path folder_;
};

}  // namespace

GatedChild::GatedChild(const std::function<int()>& body) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) abort();
  // Not fork(3): with it, ThreadSanitizer gives the child a thread of its own ahead of the tag, and reports of a
  // process come from its last thread.
  pid_ = ::_Fork();
  if (pid_ == 0) {
    ::close(ends[1]);
    char byte = 0;
    const bool is_open = ::read(ends[0], &byte, 1) == 1;
    ::close(ends[0]);
    ::_exit(is_open ? body() : 126);
  }
  ::close(ends[0]);
  gate_ = UniqueFd(ends[1]);
  pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
}

GatedChild::~GatedChild() {
  gate_.reset();
  if (!status_) wait();
}

void GatedChild::open_gate() { EXPECT_EQ(::write(gate_.get(), "g", 1), 1); }

int GatedChild::wait() {
  int status = 0;
  if (!status_ && ::waitpid(pid_, &status, 0) == pid_) status_ = status;
  return status_.value_or(-1);
}

void GatedChild::kill() const { EXPECT_EQ(::kill(pid_, SIGKILL), 0); }

void Recorded::expect_whole() const {
  uint64_t expected = 1;
  uint64_t missing = 0;
  for (const Event& event : events) {
    ASSERT_NE(event.kind_case(), Event::kGap) << event.ShortDebugString();
    ASSERT_GE(event.kernel_seq(), expected) << "a number came twice: " << event.ShortDebugString();
    missing += event.kernel_seq() - expected;
    expected = event.kernel_seq() + 1;
  }
  missing += counters.issued + 1 - expected;
  EXPECT_EQ(missing, counters.dropped) << "of " << counters.issued << " issued";
  EXPECT_EQ(counters.untagged_children, 0U);
}

std::vector<recording::v1::Exec> Recorded::execs() const {
  return of_kind<recording::v1::Exec>(events, Event::kExec, [](const Event& event) { return event.exec(); });
}
std::vector<recording::v1::Open> Recorded::opens() const {
  return of_kind<recording::v1::Open>(events, Event::kOpen, [](const Event& event) { return event.open(); });
}
std::vector<recording::v1::Connect> Recorded::connects() const {
  return of_kind<recording::v1::Connect>(events, Event::kConnect, [](const Event& event) { return event.connect(); });
}
std::vector<recording::v1::ProcessExit> Recorded::exits() const {
  return of_kind<recording::v1::ProcessExit>(events, Event::kProcessExit,
                                             [](const Event& event) { return event.process_exit(); });
}
std::vector<recording::v1::Open> Recorded::opens_of(const std::string& path) const {
  return only(opens(), [&](const auto& open) { return open.file().path() == path; });
}
std::vector<recording::v1::Open> Recorded::claimed(const std::string& path) const {
  return only(opens(), [&](const auto& open) { return open.claimed_path() == path; });
}

std::string tier_under_test() {
  const char* tier = std::getenv("CAIRN_TIER");
  return tier == nullptr ? "" : tier;
}

const Tier& LiveCapture::tier() const {
  return *std::ranges::find_if(tiers(), [&](const Tier& one) { return one.name == host_->status().tier; });
}

void LiveCapture::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "loading BPF programs needs root";
  if (::access("/sys/kernel/btf/vmlinux", R_OK) != 0) GTEST_SKIP() << "the kernel has no BTF";
  folder_ = make_folder();
  const char* pins_that_stay = std::getenv("CAIRN_PINS");  // for who runs several programs like this one
  if (wants_pins_of_its_own()) {
    bpf_dir_ = folder_ / "bpf";
  } else {
    bpf_dir_ = pins_that_stay != nullptr ? pins_that_stay : SharedPins::folder() / "bpf";
  }
  Result<CaptureHost> host = CaptureHost::start(bpf_dir(), Log("test", LogLevel::kWarn), tier_under_test());
  if (!host && host.error().code == Errc::kUnsupported &&
      host.error().message.find("Operation not permitted") != std::string::npos) {
    GTEST_SKIP() << "root may not load BPF programs here: " << host.error().message;
  }
  ASSERT_TRUE(host) << host.error().message;
  host_ = std::make_unique<CaptureHost>(*std::move(host));
}

void LiveCapture::TearDown() {
  if (folder_.empty()) return;
  if (wants_pins_of_its_own()) {
    const Result<void> unpinned = unpin_all(bpf_dir());
    EXPECT_TRUE(unpinned) << unpinned.error().message;
  }
  std::error_code failed;
  std::filesystem::remove_all(folder_, failed);
  EXPECT_FALSE(failed) << failed.message();
}

std::filesystem::path LiveCapture::write_script(const std::string& name, const std::string& text) const {
  std::filesystem::path path = folder_ / name;
  std::ofstream(path) << text;
  EXPECT_EQ(::chmod(path.c_str(), 0755), 0);
  return path;
}

SessionCapture LiveCapture::open_session(const std::filesystem::path& bpf_dir, uint64_t key, RingSizes sizes) {
  Result<SessionCapture> session = SessionCapture::open(bpf_dir, key, sizes);
  if (!session) {
    ADD_FAILURE() << session.error().message;
    abort();
  }
  return *std::move(session);
}

Recorded LiveCapture::read_to_end(SessionCapture& session) {
  Recorded recorded;
  const auto keep = [&](Event event) { recorded.events.push_back(std::move(event)); };
  const auto deadline = std::chrono::steady_clock::now() + kSoonEnough;
  for (;;) {
    const Result<SessionCounters> counters = session.counters();
    EXPECT_TRUE(counters);
    if (counters->live_tasks == 0) break;
    if (std::chrono::steady_clock::now() > deadline) {
      ADD_FAILURE() << counters->live_tasks << " tasks live on";
      break;
    }
    pollfd waited{.fd = session.epoll_fd(), .events = POLLIN, .revents = 0};
    ::poll(&waited, 1, 50);
    EXPECT_TRUE(session.drain(keep));
  }
  EXPECT_TRUE(session.stop());
  for (Result<size_t> drained = session.drain(keep); drained && *drained != 0;) drained = session.drain(keep);
  recorded.counters = *session.counters();
  std::ranges::sort(recorded.events, {}, [](const Event& event) { return event.kernel_seq(); });
  return recorded;
}

Recorded LiveCapture::record(const std::function<int()>& body) const {
  SessionCapture session = open_session(bpf_dir(), read_le64(random_bytes(8).data()) | 1);
  GatedChild child(body);
  const Result<void> tagged = session.tag(child.pidfd());
  EXPECT_TRUE(tagged) << tagged.error().message;
  child.open_gate();
  Recorded recorded = read_to_end(session);
  child.wait();
  return recorded;
}

int exec_program(const std::string& path, const std::vector<std::string>& argv) {
  std::vector<char*> pointers;
  pointers.reserve(argv.size() + 1);
  for (const std::string& argument : argv) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  ::execv(path.c_str(), pointers.data());
  return 127;
}

}  // namespace cairn::agent
