#include "base/spawn.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/unique_fd.h"

namespace cairn {
namespace {

class Spawn : public testing::Test {
 protected:
  Spawn() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    reading_.reset(ends[0]);
    writing_.reset(ends[1]);
  }

  // What `script` writes to its standard output.
  std::string output_of(const std::string& script, SpawnPlan plan) {
    plan.program = "/bin/sh";
    plan.arguments = {"sh", "-c", script};
    const Result<pid_t> child = spawn(plan);
    EXPECT_TRUE(child) << child.error().message;
    writing_.reset();
    std::string text;
    std::array<char, 4096> buffer{};
    for (ssize_t got = 0; (got = ::read(reading_.get(), buffer.data(), buffer.size())) > 0;)
      text.append(buffer.data(), static_cast<size_t>(got));
    int status = 0;
    EXPECT_EQ(::waitpid(*child, &status, 0), *child);
    EXPECT_EQ(status, 0);
    return text;
  }

  UniqueFd reading_;
  UniqueFd writing_;
};

TEST_F(Spawn, GivesTheDescriptorsOfThePlanAndNoOther) {
  const UniqueFd careless(::open("/dev/null", O_RDONLY));  // as a library opens it, without O_CLOEXEC
  const std::string listed =
      output_of("for fd in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$fd ] && echo $fd; done; :",
                {.descriptors = {{.fd = writing_.get(), .as = 1}, {.fd = careless.get(), .as = 5}}});
  EXPECT_EQ(listed, "1\n5\n");
}

TEST_F(Spawn, SwapsNumbersWithoutLosingOne) {
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int pipe = writing_.get();
  const std::string said = output_of(fmt::format("readlink /proc/self/fd/{} >&{}", pipe, null.get()),
                                     {.environment = {"PATH=/usr/bin:/bin"},
                                      .descriptors = {{.fd = null.get(), .as = pipe}, {.fd = pipe, .as = null.get()}}});
  EXPECT_EQ(said, "/dev/null\n");
}

TEST_F(Spawn, BlocksAndIgnoresNoSignalWhateverItsStarterDoes) {
  sigset_t blocked;
  sigset_t before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGXCPU);
  ::sigprocmask(SIG_BLOCK, &blocked, &before);
  const auto pipe_before = std::signal(SIGPIPE, SIG_IGN);
  const std::string said = output_of("grep -E '^Sig(Blk|Ign):' /proc/self/status | tr -d '\\t\\n'",
                                     {.descriptors = {{.fd = writing_.get(), .as = 1}}});
  std::signal(SIGPIPE, pipe_before);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(said, "SigBlk:0000000000000000SigIgn:0000000180000000") << "32 and 33 are glibc's own";
}

TEST_F(Spawn, BeginsWhereAndAsWhatThePlanSays) {
  EXPECT_EQ(output_of("pwd; [ $$ = $(cut -d' ' -f6 /proc/$$/stat) ] && echo leads; echo $WHO",
                      {.environment = {"PATH=/usr/bin:/bin", "WHO=nobody"},
                       .descriptors = {{.fd = writing_.get(), .as = 1}},
                       .leads_session = true,
                       .begins_at_root = true}),
            "/\nleads\nnobody\n");
}

TEST_F(Spawn, SaysWhatCouldNotBeStarted) {
  const Result<pid_t> child = spawn({.program = "/nonexistent/program", .arguments = {"program"}});
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code, std::errc::no_such_file_or_directory);
  EXPECT_NE(child.error().message.find("/nonexistent/program"), std::string::npos) << child.error().message;
}

}  // namespace
}  // namespace cairn
