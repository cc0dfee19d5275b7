#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "agent/tests/capture/live_capture.h"
#include "base/bytes.h"

namespace cairn::agent {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class SessionInTheKernel : public LiveCapture {};

void touch(const std::filesystem::path& file) { ::close(::open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)); }

TEST_F(SessionInTheKernel, FollowsADaemonIntoItsOwnSession) {
  const std::filesystem::path mark = folder() / "mark";
  const Recorded recorded = record([&] {
    if (::fork() != 0) ::_exit(0);
    ::setsid();
    if (::fork() != 0) ::_exit(0);
    touch(mark);
    return 4;
  });
  recorded.expect_whole();
  EXPECT_THAT(recorded.opens_of(mark), SizeIs(1));
  EXPECT_THAT(recorded.exits(), SizeIs(3));
  EXPECT_EQ(recorded.counters.live_tasks, 0U);
}

TEST_F(SessionInTheKernel, CountsItsLivingTasks) {
  SessionCapture session = open_session(bpf_dir(), 11);
  GatedChild child([] {
    if (::fork() == 0) ::pause();
    ::pause();
    return 0;
  });
  EXPECT_EQ(session.counters()->live_tasks, 0U);
  ASSERT_TRUE(session.tag(child.pidfd()));
  EXPECT_EQ(session.counters()->live_tasks, 1U);
  child.kill();
  child.wait();
  EXPECT_EQ(session.counters()->live_tasks, 0U);
}

TEST_F(SessionInTheKernel, DoesNotWaitForATaskThatDiedBeforeItsTag) {
  SessionCapture session = open_session(bpf_dir(), 12);
  GatedChild child([] { return 0; });
  child.open_gate();
  siginfo_t ended{};
  ASSERT_EQ(::waitid(P_PID, child.pid(), &ended, WEXITED | WNOWAIT), 0);  // a zombie: the exit hook is behind it
  ASSERT_TRUE(session.tag(child.pidfd()));
  EXPECT_EQ(session.counters()->live_tasks, 0U);
  child.wait();
  const Result<void> too_late = session.tag(child.pidfd());
  ASSERT_FALSE(too_late);
  EXPECT_EQ(too_late.error().code.value(), ESRCH) << too_late.error().message;
  EXPECT_EQ(session.counters()->live_tasks, 0U);
}

TEST_F(SessionInTheKernel, SeesNothingOfAnotherSessionNorOfProcessesOutside) {
  SessionCapture first = open_session(bpf_dir(), 21);
  SessionCapture second = open_session(bpf_dir(), 22);
  const auto busy = [&](const std::string& name) {
    return [this, name] {
      for (int i = 0; i < 200; ++i) touch(folder() / name);
      return 0;
    };
  };
  GatedChild in_first(busy("first"));
  GatedChild in_second(busy("second"));
  GatedChild outside(busy("outside"));
  ASSERT_TRUE(first.tag(in_first.pidfd()));
  ASSERT_TRUE(second.tag(in_second.pidfd()));
  for (GatedChild* child : {&in_first, &in_second, &outside}) child->open_gate();
  for (GatedChild* child : {&in_first, &in_second, &outside}) child->wait();
  const Recorded of_first = read_to_end(first);
  const Recorded of_second = read_to_end(second);
  of_first.expect_whole();
  of_second.expect_whole();
  EXPECT_THAT(of_first.opens_of(folder() / "first"), SizeIs(200));
  EXPECT_THAT(of_second.opens_of(folder() / "second"), SizeIs(200));
  EXPECT_THAT(of_first.events, SizeIs(201));  // and its exit
  EXPECT_THAT(of_second.events, SizeIs(201));
}

TEST_F(SessionInTheKernel, AccountsForWhatItsRingCannotHold) {
  SessionCapture session = open_session(bpf_dir(), 31, {.exec_bytes = 4096, .open_bytes = 4096});
  GatedChild child([&] {
    for (int i = 0; i < 1000; ++i) touch(folder() / "flood");
    return exec_program("/bin/true", {"true"});
  });
  ASSERT_TRUE(session.tag(child.pidfd()));
  child.open_gate();
  child.wait();
  const Recorded recorded = read_to_end(session);
  recorded.expect_whole();  // missing numbers and drop counter agree
  EXPECT_GT(recorded.counters.dropped, 900U);
  EXPECT_THAT(recorded.execs(), SizeIs(1)) << "an open flood displaced the exec event";
  EXPECT_THAT(recorded.exits(), SizeIs(1));
}

TEST_F(SessionInTheKernel, GoesOnWhileNoSupervisorLivesAndIsAdoptedByTheNext) {
  SessionCapture session = open_session(bpf_dir(), 41);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  GatedChild child([&] {
    write_end.reset();
    touch(folder() / "alone");
    char byte = 0;
    while (::read(read_end.get(), &byte, 1) > 0) {
    }
    touch(folder() / "adopted");
    return 0;
  });
  ASSERT_TRUE(session.tag(child.pidfd()));
  const std::string tier_before = host_->status().tier;
  host_.reset();
  child.open_gate();
  Result<CaptureHost> next = CaptureHost::start(bpf_dir(), Log("test", LogLevel::kWarn), tier_under_test());
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_EQ(next->status().tier, tier_before);
  write_end.reset();
  child.wait();
  const Result<std::optional<uint64_t>> issued = next->issued(41);
  ASSERT_TRUE(issued) << issued.error().message;
  EXPECT_EQ(*issued, std::optional<uint64_t>(3));
  const Recorded recorded = read_to_end(session);
  recorded.expect_whole();
  EXPECT_THAT(recorded.opens_of(folder() / "alone"), SizeIs(1));
  EXPECT_THAT(recorded.opens_of(folder() / "adopted"), SizeIs(1));
  EXPECT_THAT(recorded.exits(), SizeIs(1));
}

TEST_F(SessionInTheKernel, OfADeadWorkerIsForgotten) {
  {
    GatedChild worker([&] {
      const SessionCapture session = open_session(bpf_dir(), 51);
      ::_exit(0);  // without a destructor, as kill -9 ends it
      return 0;
    });
    worker.open_gate();
    worker.wait();
  }
  ASSERT_EQ(*host_->issued(51), std::optional<uint64_t>(0));
  const Result<SessionCapture> twice = SessionCapture::open(bpf_dir(), 51, {});
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, Errc::kAlreadyExists) << twice.error().message;
  ASSERT_TRUE(host_->forget_session(51));
  ASSERT_TRUE(host_->forget_session(51));
  EXPECT_EQ(*host_->issued(51), std::nullopt);
  EXPECT_TRUE(SessionCapture::open(bpf_dir(), 51, {}));
}

TEST_F(SessionInTheKernel, TakesOverATaskOfAnotherSession) {
  SessionCapture outer = open_session(bpf_dir(), 61);
  SessionCapture inner = open_session(bpf_dir(), 62);
  GatedChild child([&] {
    touch(folder() / "mark");
    return 0;
  });
  ASSERT_TRUE(outer.tag(child.pidfd()));
  ASSERT_TRUE(inner.tag(child.pidfd()));
  EXPECT_EQ(outer.counters()->live_tasks, 0U);
  EXPECT_EQ(inner.counters()->live_tasks, 1U);
  child.open_gate();
  child.wait();
  const Recorded recorded = read_to_end(inner);
  recorded.expect_whole();
  EXPECT_THAT(recorded.opens_of(folder() / "mark"), SizeIs(1));
  EXPECT_THAT(read_to_end(outer).events, IsEmpty());
}

TEST_F(SessionInTheKernel, RefusesKeyZeroAndRingsOfAWrongSize) {
  EXPECT_EQ(SessionCapture::open(bpf_dir(), 0, {}).error().code, Errc::kInvalid);
  const Result<SessionCapture> odd = SessionCapture::open(bpf_dir(), 71, {.exec_bytes = 5000, .open_bytes = 4096});
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().code, Errc::kInvalid) << odd.error().message;
  EXPECT_EQ(*host_->issued(71), std::nullopt);
}

class SessionWithFolds : public LiveCapture {};

// The loader's cache is opened at each start of a program. The first one by each program is recorded, then they are
// counted; in the full stream each is an event.
TEST_F(SessionWithFolds, CountsWhatEachStartOfAProgramReads) {
  constexpr int kStarts = 20;
  constexpr const char* kNoise = "/etc/ld.so.cache";
  if (::access(kNoise, R_OK) != 0) GTEST_SKIP() << "no " << kNoise;
  for (const EventStream stream : {EventStream::kFolded, EventStream::kFull}) {
    SessionCapture session = *SessionCapture::open(bpf_dir(), 91 + static_cast<int>(stream), {}, {.stream = stream});
    GatedChild child([] {
      // Slow enough for the first event to be read, as in life; what is read late is recorded in full.
      for (int i = 0; i < kStarts; ++i) {
        ::close(::open(kNoise, O_RDONLY | O_CLOEXEC));
        ::usleep(20000);
      }
      return 0;
    });
    ASSERT_TRUE(session.tag(child.pidfd()));
    child.open_gate();
    const Recorded recorded = read_to_end(session);
    recorded.expect_whole();
    uint64_t folded = 0;
    ASSERT_TRUE(session.report_folds([&](const recording::v1::Event& event) {
      EXPECT_EQ(event.folded().file().path(), kNoise);
      EXPECT_EQ(event.folded().executable_maps(), 0U);
      folded += event.folded().opens();
    }));
    const size_t opens = recorded.opens_of(kNoise).size();
    EXPECT_EQ(opens + folded, static_cast<size_t>(kStarts));
    EXPECT_EQ(recorded.counters.folded, folded);
    if (stream == EventStream::kFull) EXPECT_EQ(folded, 0U);
    if (stream == EventStream::kFolded) EXPECT_GT(folded, static_cast<uint64_t>(kStarts) / 2);
    EXPECT_TRUE(
        session.report_folds([](const recording::v1::Event& event) { ADD_FAILURE() << event.ShortDebugString(); }));
  }
}

// As ps(1) does: a few facts of every process. Which process it was does not matter, which program asked does.
TEST_F(SessionWithFolds, CountsWhatIsReadOfEveryProcessByTheFilesName) {
  constexpr int kRounds = 20;
  SessionCapture session = *SessionCapture::open(bpf_dir(), 95, {}, {.stream = EventStream::kFolded});
  GatedChild child([] {
    for (int i = 0; i < kRounds; ++i) {
      const std::string process = i % 2 == 0 ? "/proc/1/" : fmt::format("/proc/{}/", ::getpid());
      for (const char* name : {"stat", "limits"}) ::close(::open((process + name).c_str(), O_RDONLY | O_CLOEXEC));
      ::close(::open("/proc/stat", O_RDONLY | O_CLOEXEC));
      ::usleep(20000);
    }
    return 0;
  });
  ASSERT_TRUE(session.tag(child.pidfd()));
  child.open_gate();
  const Recorded recorded = read_to_end(session);
  recorded.expect_whole();
  uint64_t folded = 0;
  ASSERT_TRUE(session.report_folds([&](const recording::v1::Event& event) {
    EXPECT_EQ(event.folded().file().path(), "/proc/[pid]/stat");
    folded += event.folded().opens();
  }));
  const std::string own = fmt::format("/proc/{}/", child.pid());
  EXPECT_EQ(recorded.opens_of("/proc/1/stat").size() + recorded.opens_of(own + "stat").size() + folded,
            static_cast<size_t>(kRounds));
  EXPECT_GT(folded, static_cast<uint64_t>(kRounds) / 2);
  EXPECT_THAT(recorded.opens_of("/proc/1/limits"), SizeIs(kRounds / 2));
  EXPECT_THAT(recorded.opens_of("/proc/stat"), SizeIs(kRounds));
}

// Opening for writing is no noise, whatever the file.
TEST_F(SessionWithFolds, NeverFoldsAnOpenForWriting) {
  const std::filesystem::path library = "/usr/lib/locale/cairn-test";
  std::error_code failed;
  std::filesystem::create_directories(library.parent_path(), failed);
  if (std::ofstream(library) << "x"; !std::filesystem::exists(library)) GTEST_SKIP() << "no room in /usr/lib/locale";
  const Recorded recorded = record([&] {
    for (int i = 0; i < 20; ++i) {
      ::close(::open(library.c_str(), O_RDONLY | O_CLOEXEC));
      ::close(::open(library.c_str(), O_WRONLY | O_CLOEXEC));
      ::usleep(10000);
    }
    return 0;
  });
  std::filesystem::remove(library);
  EXPECT_EQ(std::ranges::count_if(recorded.opens_of(library),
                                  [](const auto& open) { return (open.flags() & O_ACCMODE) == O_WRONLY; }),
            20);
}

// Its rings hold a few events, it makes ten thousand, and nobody reads for a while: it waits.
TEST_F(SessionInTheKernel, ThatMustLoseNothingIsHeldUntilItsRingsAreRead) {
  constexpr int kOpens = 10000;
  Result<SessionCapture> session =
      SessionCapture::open(bpf_dir(), 95, {.exec_bytes = 65536, .open_bytes = 65536}, {.loss = LossPolicy::kLossless});
  ASSERT_TRUE(session) << session.error().message;
  GatedChild child([&] {
    for (int i = 0; i < kOpens; ++i) ::close(::open("/proc/self/limits", O_RDONLY | O_CLOEXEC));
    return 0;
  });
  ASSERT_TRUE(session->tag(child.pidfd()));
  child.open_gate();
  siginfo_t stopped{};
  ASSERT_EQ(::waitid(P_PIDFD, static_cast<id_t>(child.pidfd()), &stopped, WSTOPPED | WNOWAIT), 0);
  EXPECT_EQ(stopped.si_status, SIGSTOP);

  size_t opens = 0;
  const auto count = [&](const recording::v1::Event& event) { opens += event.has_open() ? 1 : 0; };
  while (session->counters()->live_tasks != 0) {
    ASSERT_TRUE(session->drain(count));
    ASSERT_TRUE(session->release_held());
    ::sched_yield();
  }
  ASSERT_TRUE(session->stop());
  while (*session->drain(count) != 0) {
  }
  EXPECT_EQ(opens, static_cast<size_t>(kOpens));
  EXPECT_EQ(session->counters()->dropped, 0U);
}

}  // namespace
}  // namespace cairn::agent
