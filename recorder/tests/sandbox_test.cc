#include "recorder/derive/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>

namespace cairn::recorder {
namespace {

// How a process ends that does this inside.
int status_of(const std::function<int()>& inside) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!enter_sandbox({})) ::_exit(99);
    ::_exit(inside());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(Sandbox, LetsAProcessComputeAndWriteWhatItHolds) {
  const int status = status_of([] {
    const std::string text(size_t{1} << 20, 'x');
    return text.back() == 'x' && ::lseek(STDERR_FILENO, 0, SEEK_CUR) >= -1 ? 7 : 8;
  });
  ASSERT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST(Sandbox, OpensNoFile) {
  const int status = status_of([] { return ::open("/etc/hostname", O_RDONLY) < 0 ? errno : 0; });
  ASSERT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(WEXITSTATUS(status), EACCES);
}

struct Forbidden {
  const char* name;
  int (*act)();
};

class SandboxForbids : public testing::TestWithParam<Forbidden> {};

TEST_P(SandboxForbids, OnPainOfDeath) {
  const int status = status_of(GetParam().act);
  ASSERT_TRUE(WIFSIGNALED(status)) << GetParam().name << " ended with " << status;
  EXPECT_EQ(WTERMSIG(status), SIGSYS);
}

INSTANTIATE_TEST_SUITE_P(Acts, SandboxForbids,
                         testing::Values(Forbidden{"socket", [] { return ::socket(AF_INET, SOCK_STREAM, 0); }},
                                         Forbidden{"fork", [] { return static_cast<int>(::fork()); }},
                                         Forbidden{"exec", [] { return ::execl("/bin/true", "true", nullptr); }},
                                         Forbidden{"kill", [] { return ::kill(::getppid(), 0); }},
                                         Forbidden{"unlink", [] { return ::unlink("/tmp/nothing"); }},
                                         Forbidden{"executable_memory",
                                                   [] {
                                                     void* page =
                                                         ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                                                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                                                     return page == MAP_FAILED ? 1 : 0;
                                                   }}),
                         [](const auto& forbidden) { return std::string(forbidden.param.name); });

}  // namespace
}  // namespace cairn::recorder
