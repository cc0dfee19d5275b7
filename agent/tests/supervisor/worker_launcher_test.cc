#include "agent/supervisor/worker_launcher.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "agent/tests/supervisor/temporary_folder.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/unique_fd.h"

namespace cairn::agent {
namespace {

using testing::HasSubstr;

class LaunchedWorker : public testing::Test {
 protected:
  // Runs a shell script in the worker's place until it has ended, and returns what it wrote to $0.
  std::string run(const std::string& script, const std::string& start) {
    const std::filesystem::path out = folder_.path() / "out";
    std::vector<std::string> command{"/bin/sh", "-c", script, out.string()};
    WorkerLauncher launcher(io_.get_executor(), std::move(command), Log("launcher-test", LogLevel::kError));
    asio::co_spawn(io_, launcher.reap(), or_die());
    const Result<void> launched = launcher.launch(start);
    EXPECT_TRUE(launched) << launched.error().message;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (launcher.running() > 0 && std::chrono::steady_clock::now() < deadline)
      io_.run_one_for(std::chrono::milliseconds(100));
    EXPECT_EQ(launcher.running(), 0u);
    return read_file(out, 1 << 20).value_or("");
  }

  TemporaryFolder folder_;
  asio::io_context io_;
};

TEST_F(LaunchedWorker, FindsItsStartFrameOnDescriptorThree) {
  const std::string start(20'000, 'd');
  const std::string frame = run("cat <&3 >\"$0\"", start);
  ASSERT_EQ(frame.size(), start.size() + 4);
  EXPECT_EQ(read_be32(frame.data()), start.size());
  EXPECT_EQ(frame.substr(4), start);
}

TEST_F(LaunchedWorker, InheritsNothingElse) {
  const UniqueFd leaked(::open("/etc/hostname", O_RDONLY));  // as a library does that knows no O_CLOEXEC
  const std::string open = run("exec >\"$0\"; for n in $(seq 0 40); do [ -e /proc/$$/fd/$n ] && echo $n; done", "x");
  EXPECT_EQ(open, "0\n1\n2\n3\n");
}

TEST_F(LaunchedWorker, ReadsNothingAndStandsInTheRootDirectory) {
  EXPECT_EQ(run("readlink /proc/$$/fd/0 >\"$0\"; pwd >>\"$0\"", "x"), "/dev/null\n/\n");
}

TEST_F(LaunchedWorker, IsASessionOfItsOwn) {
  EXPECT_EQ(run("[ $(cut -d' ' -f6 /proc/$$/stat) = $$ ] && echo own >\"$0\"", "x"), "own\n");
}

TEST_F(LaunchedWorker, BlocksAndIgnoresNoSignals) {
  std::signal(SIGPIPE, SIG_IGN);
  const std::string status = run("exec grep -E 'SigBlk|SigIgn' /proc/self/status >\"$0\"", "x");
  std::signal(SIGPIPE, SIG_DFL);
  EXPECT_THAT(status, HasSubstr("SigBlk:\t0000000000000000"));
  // Signals 32 and 33 belong to glibc, which does not let anybody reset them.
  EXPECT_THAT(status,
              testing::MatchesRegex("(.|\n)*SigIgn:\t0000000[01]80000000\n|(.|\n)*SigIgn:\t0000000000000000\n"));
}

TEST_F(LaunchedWorker, ThatCannotBeStartedIsAnError) {
  WorkerLauncher launcher(io_.get_executor(), {"/nowhere/cairn-agent"}, Log("launcher-test", LogLevel::kError));
  const Result<void> launched = launcher.launch("x");
  ASSERT_FALSE(launched);
  EXPECT_THAT(launched.error().message, HasSubstr("/nowhere/cairn-agent"));
  EXPECT_EQ(launcher.running(), 0u);
}

TEST_F(LaunchedWorker, IsNotGivenAFrameThatThePipeCannotHold) {
  WorkerLauncher launcher(io_.get_executor(), {"/bin/true"}, Log("launcher-test", LogLevel::kError));
  EXPECT_EQ(launcher.launch(std::string(40'000, 'x')).error().code, Errc::kTooLarge);
}

}  // namespace
}  // namespace cairn::agent
