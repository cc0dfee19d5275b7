#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>

#include "agent/tests/capture/live_capture.h"

namespace cairn::agent {
namespace {

using recording::v1::Event;

class TamperByATaggedTask : public LiveCapture {
 protected:
  static std::vector<recording::v1::Tamper> of_kind(const Recorded& recorded, recording::v1::TamperKind kind) {
    std::vector<recording::v1::Tamper> found;
    for (const Event& event : recorded.events) {
      if (event.has_tamper() && event.tamper().kind() == kind) found.push_back(event.tamper());
    }
    return found;
  }
};

TEST_F(TamperByATaggedTask, ShowsASignalToTheAgentAndToNobodyElse) {
  const auto agent = static_cast<uint32_t>(::getpid());  // whoever holds the capture is protected
  const Recorded recorded = record([agent] {
    ::kill(::getpid(), SIGURG);
    return ::kill(static_cast<pid_t>(agent), SIGURG);  // ignored unless handled
  });
  recorded.expect_whole();
  const auto signals = of_kind(recorded, recording::v1::TAMPER_KIND_SIGNAL);
  ASSERT_THAT(signals, testing::SizeIs(1));
  EXPECT_EQ(signals[0].target_pid(), agent);
  EXPECT_EQ(signals[0].detail(), static_cast<uint64_t>(SIGURG));
}

TEST_F(TamperByATaggedTask, ShowsNamespacesByUnshareAndByClone) {
  const Recorded recorded = record([] {
    if (::unshare(CLONE_NEWUTS) != 0) return 1;
    const long child = ::syscall(SYS_clone, CLONE_NEWNS | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (child == 0) ::_exit(0);
    return ::waitpid(static_cast<pid_t>(child), nullptr, 0) == child ? 0 : 2;
  });
  recorded.expect_whole();
  const auto namespaces = of_kind(recorded, recording::v1::TAMPER_KIND_NAMESPACE);
  ASSERT_THAT(namespaces, testing::SizeIs(2));
  EXPECT_EQ(namespaces[0].detail(), static_cast<uint64_t>(CLONE_NEWUTS));
  EXPECT_EQ(namespaces[1].detail(), static_cast<uint64_t>(CLONE_NEWNS));
  EXPECT_NE(namespaces[1].target_pid(), namespaces[1].process().pid());
}

}  // namespace
}  // namespace cairn::agent
