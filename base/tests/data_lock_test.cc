#include "base/data_lock.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>

#include <gtest/gtest.h>

namespace cairn {
namespace {

// A process that holds the lock of `directory`, with a child of its own that outlives it by being stuck at a gate.
class Owner {
 public:
  explicit Owner(const std::filesystem::path& directory) {
    std::array<int, 2> ready{};
    if (::pipe2(ready.data(), O_CLOEXEC) != 0 || ::pipe2(gate_.data(), O_CLOEXEC) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      const Result<DataLock> lock = DataLock::take(directory, "cairn-agent");
      ::close(gate_[1]);
      char end = 0;
      if (::fork() == 0) ::_exit(static_cast<int>(::read(gate_[0], &end, 1)));
      if (::write(ready[1], lock ? "y" : "n", 1) != 1) std::abort();
      for (;;) ::pause();
    }
    char has_it = 0;
    if (::read(ready[0], &has_it, 1) != 1) std::abort();
    EXPECT_EQ(has_it, 'y');
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~Owner() {
    kill();
    ::close(gate_[0]);
    ::close(gate_[1]);
  }

  pid_t pid() const { return pid_; }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  std::array<int, 2> gate_{};
  pid_t pid_ = -1;
};

class DataDirectoryLock : public testing::Test {
 protected:
  DataDirectoryLock() {
    std::string name = testing::TempDir() + "cairn-lock-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~DataDirectoryLock() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
};

TEST_F(DataDirectoryLock, NamesThePidOfWhoHoldsIt) {
  const Owner owner(folder_);
  const Result<DataLock> second = DataLock::take(folder_, "cairn-agent");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kAlreadyExists);
  EXPECT_EQ(second.error().message, "another cairn-agent is running with " + folder_.string() + " (pid " +
                                        std::to_string(owner.pid()) + "); stop it, or choose another --data-dir");
}

TEST_F(DataDirectoryLock, IsFreeTheMomentItsOwnerIsKilledWhateverThatHadStarted) {
  Owner owner(folder_);
  owner.kill();
  const Result<DataLock> next = DataLock::take(folder_, "cairn-agent");
  EXPECT_TRUE(next) << next.error().message;
}

}  // namespace
}  // namespace cairn
