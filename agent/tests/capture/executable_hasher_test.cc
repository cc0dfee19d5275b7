// The hasher against files that stay, change, or are gone.
#include "agent/capture/executable_hasher.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/clock.h"

namespace cairn::agent {
namespace {

using recording::v1::Event;
using recording::v1::Exec;

constexpr std::chrono::seconds kPatience{20};
constexpr uint32_t kNobody = 0x7ffffffe;  // no process has this number

class Hasher : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/cairn-hasher-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& content) {
    const std::string path = folder_ / name;
    std::ofstream(path) << content;
    return path;
  }

  // As the kernel reports it.
  static Exec exec_of(const std::string& path) {
    struct stat found{};
    EXPECT_EQ(::stat(path.c_str(), &found), 0);
    Exec exec;
    exec.mutable_process()->set_pid(kNobody);
    exec.mutable_executable()->set_path(path);
    exec.mutable_executable()->set_inode(found.st_ino);
    exec.mutable_executable()->set_device_major(major(found.st_dev));
    exec.mutable_executable()->set_device_minor(minor(found.st_dev));
    exec.set_executable_ctime_ns(found.st_ctim.tv_sec * 1'000'000'000 + found.st_ctim.tv_nsec);
    return exec;
  }

  SystemClock clock_;
  std::filesystem::path folder_;
  std::vector<Event> events_;  // of the hasher's thread until it is idle
  ExecutableHasher hasher_{[this](Event event) { events_.push_back(std::move(event)); }, &clock_};
};

TEST_F(Hasher, ReadsEachFileOnceAndThenKnowsIt) {
  const std::string path = write("program", "abc");
  Exec first = exec_of(path);
  hasher_.note(&first);
  EXPECT_EQ(first.executable_sha256(), "");
  ASSERT_TRUE(hasher_.await_idle(kPatience));
  Exec second = exec_of(path);
  hasher_.note(&second);
  ASSERT_TRUE(hasher_.await_idle(kPatience));
  EXPECT_EQ(second.executable_sha256(), to_hex(sha256("abc")));
  ASSERT_EQ(events_.size(), 1U);
  EXPECT_EQ(events_[0].executable_hash().sha256(), to_hex(sha256("abc")));
  EXPECT_EQ(events_[0].executable_hash().bytes(), 3U);
  EXPECT_EQ(events_[0].executable_hash().executable().path(), path);
}

TEST_F(Hasher, SaysOfAFileThatIsGoneThatItWasNotRead) {
  const std::string path = write("program", "abc");
  Exec exec = exec_of(path);
  std::filesystem::remove(path);
  hasher_.note(&exec);
  ASSERT_TRUE(hasher_.await_idle(kPatience));
  ASSERT_EQ(events_.size(), 1U);
  EXPECT_EQ(events_[0].executable_hash().sha256(), "");
  EXPECT_THAT(events_[0].executable_hash().error(), testing::HasSubstr("gone or changed"));
}

TEST_F(Hasher, TakesNoOtherFileOfTheSameNameForIt) {
  const std::string path = write("program", "abc");
  Exec exec = exec_of(path);
  std::filesystem::rename(write("other", "evil"), path);
  hasher_.note(&exec);
  ASSERT_TRUE(hasher_.await_idle(kPatience));
  ASSERT_EQ(events_.size(), 1U);
  EXPECT_EQ(events_[0].executable_hash().sha256(), "");
}

TEST_F(Hasher, ReadsAFileWithoutANameByTheProcessThatRunsIt) {
  Exec exec = exec_of("/proc/self/exe");
  exec.mutable_process()->set_pid(static_cast<uint32_t>(::getpid()));
  exec.mutable_executable()->set_path("/nonexistent (deleted)");
  hasher_.note(&exec);
  ASSERT_TRUE(hasher_.await_idle(kPatience));
  ASSERT_EQ(events_.size(), 1U);
  EXPECT_EQ(events_[0].executable_hash().sha256().size(), 64U);
}

TEST_F(Hasher, TakesNoFileOfAnotherFileSystemForIt) {
  Exec exec = exec_of(write("program", "abc"));
  exec.mutable_executable()->set_device_minor(exec.executable().device_minor() + 1);
  hasher_.note(&exec);
  ASSERT_TRUE(hasher_.await_idle(kPatience));
  ASSERT_EQ(events_.size(), 1U);
  EXPECT_EQ(events_[0].executable_hash().sha256(), "");
}

TEST_F(Hasher, SaysNothingMoreOnceItHasFinished) {
  EXPECT_TRUE(hasher_.finish(kPatience));
  Exec exec = exec_of(write("program", "abc"));
  hasher_.note(&exec);
  EXPECT_THAT(events_, testing::IsEmpty());
}

TEST_F(Hasher, ReadsNothingForAFailedExecution) {
  Exec exec = exec_of(write("program", "abc"));
  exec.set_result(-13);
  hasher_.note(&exec);
  ASSERT_TRUE(hasher_.await_idle(kPatience));
  EXPECT_THAT(events_, testing::IsEmpty());
}

}  // namespace
}  // namespace cairn::agent
