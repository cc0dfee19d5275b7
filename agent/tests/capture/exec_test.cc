#include <sys/stat.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>

#include "agent/tests/capture/live_capture.h"

namespace cairn::agent {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

class ExecOfATaggedTask : public LiveCapture {};

std::string real_path(const std::string& path) { return std::filesystem::canonical(path).string(); }

TEST_F(ExecOfATaggedTask, IsRecordedWithArgvCwdAndExecutable) {
  const Recorded recorded = record([&] {
    if (::chdir(folder().c_str()) != 0) return 1;
    return exec_program("/usr/bin/head", {"head", "-n", "0", "/etc/hostname"});
  });
  recorded.expect_whole();
  ASSERT_THAT(recorded.execs(), SizeIs(1));
  const recording::v1::Exec exec = recorded.execs()[0];
  EXPECT_EQ(exec.executable().path(), real_path("/usr/bin/head"));
  EXPECT_TRUE(exec.executable().complete());
  EXPECT_EQ(exec.filename(), "/usr/bin/head");
  EXPECT_THAT(exec.argv(), ElementsAre("head", "-n", "0", "/etc/hostname"));
  EXPECT_EQ(exec.argv_bytes(), sizeof("head") + sizeof("-n") + sizeof("0") + sizeof("/etc/hostname"));
  EXPECT_FALSE(exec.argv_truncated());
  EXPECT_EQ(exec.cwd().path(), folder().string());
  EXPECT_EQ(exec.result(), 0);
  EXPECT_EQ(exec.process().comm(), "head");
  EXPECT_EQ(exec.process().uid(), 0U);
  EXPECT_EQ(exec.process().parent_pid(), static_cast<uint32_t>(::getpid()));
  EXPECT_NE(exec.process().start_boot_ns(), 0U);
  EXPECT_THAT(recorded.opens_of("/etc/hostname"), SizeIs(1));
  ASSERT_THAT(recorded.exits(), SizeIs(1));
  EXPECT_EQ(recorded.exits()[0].process().pid(), exec.process().pid());
  EXPECT_EQ(recorded.exits()[0].process().start_boot_ns(), exec.process().start_boot_ns());
}

// From 6.13 on the kernel keeps a flag among the nanoseconds, once somebody has asked for them.
TEST_F(ExecOfATaggedTask, KnowsItsFileByTheTimeThatStatShows) {
  const std::filesystem::path program = folder() / "program";
  std::filesystem::copy_file("/usr/bin/true", program);
  struct stat found{};
  ASSERT_EQ(::stat(program.c_str(), &found), 0);
  const Recorded recorded = record([&] { return exec_program(program, {"program"}); });
  ASSERT_THAT(recorded.execs(), SizeIs(1));
  EXPECT_EQ(recorded.execs()[0].executable_ctime_ns(), found.st_ctim.tv_sec * 1'000'000'000 + found.st_ctim.tv_nsec);
  EXPECT_EQ(recorded.execs()[0].executable().inode(), found.st_ino);
}

TEST_F(ExecOfATaggedTask, ShowsAScriptAsItsInterpreterAndTheScriptAsFilename) {
  const std::string script = write_script("script", "#!/bin/sh\nexit 3\n");
  const Recorded recorded = record([&] { return exec_program(script, {"called", "argument"}); });
  recorded.expect_whole();
  ASSERT_THAT(recorded.execs(), SizeIs(1));
  EXPECT_EQ(recorded.execs()[0].executable().path(), real_path("/bin/sh"));
  EXPECT_EQ(recorded.execs()[0].filename(), script);
  EXPECT_THAT(recorded.execs()[0].argv(), ElementsAre("/bin/sh", script, "argument"));
  EXPECT_THAT(recorded.opens_of(script), SizeIs(1));
  ASSERT_THAT(recorded.exits(), SizeIs(1));
  EXPECT_EQ(recorded.exits()[0].exit_status(), 3U);
}

TEST_F(ExecOfATaggedTask, ThatFailsIsRecordedWithItsErrnoAndCwd) {
  const Recorded recorded = record([&] {
    if (::chdir(folder().c_str()) != 0) return 1;
    return exec_program("missing/program", {"program"});
  });
  recorded.expect_whole();
  ASSERT_THAT(recorded.execs(), SizeIs(1));
  EXPECT_EQ(recorded.execs()[0].result(), -ENOENT);
  EXPECT_EQ(recorded.execs()[0].filename(), "missing/program");
  EXPECT_EQ(recorded.execs()[0].cwd().path(), folder().string());
  EXPECT_FALSE(recorded.execs()[0].has_executable());
  ASSERT_THAT(recorded.exits(), SizeIs(1));
  EXPECT_EQ(recorded.exits()[0].exit_status(), 127U);
}

TEST_F(ExecOfATaggedTask, KeepsTheFirst64KiBOfALongArgvAndItsTrueLength) {
  const std::vector<std::string> argv(1000, std::string(99, 'a'));  // 100 000 bytes with the NULs
  const Recorded recorded = record([&] { return exec_program("/bin/true", argv); });
  recorded.expect_whole();
  ASSERT_THAT(recorded.execs(), SizeIs(1));
  const recording::v1::Exec exec = recorded.execs()[0];
  EXPECT_EQ(exec.argv_bytes(), 100'000U);
  EXPECT_TRUE(exec.argv_truncated());
  ASSERT_EQ(exec.argv_size(), 656);  // 655 whole ones and 36 bytes
  EXPECT_EQ(exec.argv(654), argv[0]);
  EXPECT_EQ(exec.argv(655), std::string(36, 'a'));
}

TEST_F(ExecOfATaggedTask, OfAMemoryFileShowsItsName) {
  const Recorded recorded = record([] {
    const int file = ::memfd_create("evil", MFD_CLOEXEC);
    const int from = ::open("/bin/true", O_RDONLY | O_CLOEXEC);
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(from, buffer, sizeof(buffer))) > 0;) {
      if (::write(file, buffer, static_cast<size_t>(got)) != got) return 1;
    }
    const char* argv[] = {"innocent", nullptr};
    ::fexecve(file, const_cast<char**>(argv), environ);
    return 127;
  });
  recorded.expect_whole();
  ASSERT_THAT(recorded.execs(), SizeIs(1));
  EXPECT_EQ(recorded.execs()[0].executable().path(), "/memfd:evil");
  EXPECT_EQ(recorded.execs()[0].process().comm().substr(0, 1), recorded.exits()[0].process().comm().substr(0, 1));
}

class ExitOfATaggedProcess : public LiveCapture {};

TEST_F(ExitOfATaggedProcess, SaysWhichSignalEndedIt) {
  const Recorded recorded = record([] {
    ::raise(SIGKILL);
    return 0;
  });
  recorded.expect_whole();
  ASSERT_THAT(recorded.exits(), SizeIs(1));
  EXPECT_EQ(recorded.exits()[0].exit_signal(), static_cast<uint32_t>(SIGKILL));
}

TEST_F(ExitOfATaggedProcess, IsRecordedOncePerProcessAndNotPerThread) {
  const std::filesystem::path read = write_script("read", "x");
  const Recorded recorded = record([&] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] { ::close(::open(read.c_str(), O_RDONLY | O_CLOEXEC)); });
    }
    for (std::thread& thread : threads) thread.join();
    return 5;
  });
  recorded.expect_whole();
  EXPECT_THAT(recorded.opens_of(read), SizeIs(8));
  ASSERT_THAT(recorded.exits(), SizeIs(1));
  EXPECT_EQ(recorded.exits()[0].exit_status(), 5U);
}

TEST_F(ExitOfATaggedProcess, OfWhichTheFirstThreadEndedFirstIsRecordedOnce) {
  const Recorded recorded = record([] {
    std::thread([leader = ::getpid()] {
      const std::string status = "/proc/self/task/" + std::to_string(leader) + "/stat";
      // Until the leader is a zombie: then this thread is the last.
      for (char text[256]{}; std::string_view(text).find(") Z") == std::string_view::npos;) {
        const int file = ::open(status.c_str(), O_RDONLY | O_CLOEXEC);
        if (::read(file, text, sizeof(text) - 1) <= 0) break;
        ::close(file);
      }
      ::syscall(SYS_exit_group, 9);
    }).detach();
    ::syscall(SYS_exit, 0);
    return 0;
  });
  recorded.expect_whole();
  ASSERT_THAT(recorded.exits(), SizeIs(1));
  EXPECT_EQ(recorded.exits()[0].exit_status(), 9U);
  EXPECT_NE(recorded.exits()[0].process().tid(), recorded.exits()[0].process().pid());
}

}  // namespace
}  // namespace cairn::agent
