#include <grp.h>
#include <sys/mount.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "agent/capture/canary.h"
#include "agent/capture/bpffs.h"
#include "agent/capture/tier.h"
#include "agent/tests/capture/live_capture.h"

namespace cairn::agent {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(".debug")) names.push_back(name);  // the kernel's own files in the root of a bpffs
  }
  return names;
}

class CaptureHostWithRoot : public LiveCapture {
 protected:
  bool wants_pins_of_its_own() const override { return true; }
};

TEST_F(CaptureHostWithRoot, PinsOneTierUnderTheHashOfItsObject) {
  const bool looks_at_functions = tier().name == "A";
  EXPECT_THAT(host_->status().hooks,
              testing::IsSupersetOf({"on_task_new", "on_task_exit", "on_exec", "on_socket_state"}));
  std::vector<std::string> pins = {"on_task_new", "on_task_exit", "on_exec", "on_socket_state",
                                   looks_at_functions ? "x64_openat" : "on_sys_exit_program"};
  pins.insert(pins.end(), std::begin(kPinnedMaps), std::end(kPinnedMaps));
  EXPECT_THAT(names_in(bpf_dir()), testing::ElementsAre(tier().folder()));
  EXPECT_THAT(names_in(bpf_dir() / tier().folder()), testing::IsSupersetOf(pins));
}

TEST_F(CaptureHostWithRoot, TracesSystemCallsWhileASessionIsRegistered) {
  if (tier().name == "A") GTEST_SKIP() << "its programs see single system calls, and stay attached";
  const std::filesystem::path link = bpf_dir() / tier().folder() / "on_sys_exit";
  EXPECT_FALSE(std::filesystem::exists(link));
  {
    const SessionCapture session = open_session(bpf_dir(), 1);
    EXPECT_TRUE(std::filesystem::exists(link));
    EXPECT_FALSE(*host_->rest_when_idle());
    EXPECT_TRUE(std::filesystem::exists(link));
  }
  EXPECT_TRUE(std::filesystem::exists(link));  // short sessions in a row attach it once
  EXPECT_TRUE(*host_->rest_when_idle());
  EXPECT_FALSE(std::filesystem::exists(link));
  EXPECT_FALSE(*host_->rest_when_idle());
  // It comes back for the next one, and never runs twice, however soon that is.
  for (int i = 0; i < 5; ++i) {
    const Recorded recorded = record([] { return ::open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0 ? 0 : 1; });
    EXPECT_THAT(recorded.opens_of("/dev/null"), testing::SizeIs(1));
    EXPECT_TRUE(*host_->rest_when_idle());
  }
}

TEST_F(CaptureHostWithRoot, ShowsItsCanaryOneEventOfEachClass) {
  const Result<CanaryReport> report = run_canary(bpf_dir(), {"/bin/true"});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_THAT(report->missed, IsEmpty());
  EXPECT_THAT(report->seen, testing::IsSupersetOf({"exec", "failed exec", "exit", "open", "failed open", "change",
                                                   "connect", "socket", "tamper"}));
}

TEST_F(CaptureHostWithRoot, MissesTheCanaryOfAHookThatIsGone) {
  ASSERT_TRUE(std::filesystem::remove(bpf_dir() / tier().folder() / "on_socket_state"));
  ASSERT_TRUE(std::filesystem::create_directory(bpf_dir() / tier().folder() / "on_socket_state"));
  const Result<CanaryReport> report = run_canary(bpf_dir(), {"/bin/true"});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_THAT(report->missed, testing::ElementsAre("connect"));
}

TEST_F(CaptureHostWithRoot, LoadsAnewWhenAPinIsMissing) {
  std::filesystem::remove(bpf_dir() / tier().folder() / "on_exec");
  EXPECT_EQ(SessionCapture::open(bpf_dir(), 1, {}).error().code, Errc::kUnavailable);
  ASSERT_TRUE(CaptureHost::start(bpf_dir(), Log("test", LogLevel::kError), tier_under_test()));
  EXPECT_TRUE(SessionCapture::open(bpf_dir(), 1, {}));
}

TEST_F(CaptureHostWithRoot, ClearsAwayWhatAnInterruptedStartAndIdleBuildsLeft) {
  ASSERT_EQ(::mkdir((bpf_dir() / "0123456789ab").c_str(), 0700), 0);
  ASSERT_EQ(::mkdir((bpf_dir() / (tier().folder() + "_partial")).c_str(), 0700), 0);
  ASSERT_EQ(::mkdir((bpf_dir() / "somebody_else").c_str(), 0700), 0);
  ASSERT_TRUE(CaptureHost::start(bpf_dir(), Log("test", LogLevel::kWarn), tier_under_test()));
  EXPECT_THAT(names_in(bpf_dir()), testing::UnorderedElementsAre(tier().folder(), "somebody_else"));
  std::filesystem::remove(bpf_dir() / "somebody_else");
}

TEST_F(CaptureHostWithRoot, LeavesNothingBehindAfterUnpinAll) {
  ASSERT_TRUE(*is_on_bpffs(bpf_dir()));
  ASSERT_TRUE(unpin_all(bpf_dir()));
  EXPECT_FALSE(*is_on_bpffs(bpf_dir()));
  EXPECT_THAT(names_in(bpf_dir()), IsEmpty());
  EXPECT_TRUE(unpin_all(bpf_dir()));
  const Result<SessionCapture> refused = SessionCapture::open(bpf_dir(), 1, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kUnavailable);
  EXPECT_THAT(refused.error().message, HasSubstr(bpf_dir().string()));
}

TEST_F(CaptureHostWithRoot, KeepsAnotherBuildThatServesASession) {
  const std::filesystem::path ours = bpf_dir() / tier().folder();
  const std::filesystem::path older = bpf_dir() / "0123456789ab";
  const SessionCapture session = open_session(bpf_dir(), 1);
  ASSERT_EQ(::rename(ours.c_str(), older.c_str()), 0);
  ASSERT_TRUE(CaptureHost::start(bpf_dir(), Log("test", LogLevel::kWarn), tier_under_test()));
  EXPECT_THAT(names_in(bpf_dir()), testing::UnorderedElementsAre(ours.filename().string(), "0123456789ab"));
}

// What start() says as nobody, who may look at and write to the folder.
TEST_F(CaptureHostWithRoot, SaysWhatTheKernelRefusesWhenItIsNotRoot) {
  const std::filesystem::path open_to_all = folder() / "all";
  ASSERT_EQ(::mkdir(open_to_all.c_str(), 0755), 0);
  ASSERT_EQ(::chmod(folder().c_str(), 0755), 0);
  ASSERT_EQ(::mount("bpf", open_to_all.c_str(), "bpf", 0, "mode=0777"), 0);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  GatedChild nobody([&] {
    if (::setgroups(0, nullptr) != 0 || ::setgid(65534) != 0 || ::setuid(65534) != 0) return 1;
    const Result<CaptureHost> host = CaptureHost::start(open_to_all, Log("test", LogLevel::kError));
    const std::string said = host ? "started" : host.error().message;
    if (::write(write_end.get(), said.data(), said.size()) < 0) return 2;
    return host ? 3 : host.error().code == Errc::kUnsupported ? 0 : 4;
  });
  nobody.open_gate();
  const int status = nobody.wait();
  write_end.reset();
  std::string said(8192, '\0');
  said.resize(static_cast<size_t>(std::max<ssize_t>(::read(read_end.get(), said.data(), said.size()), 0)));
  EXPECT_EQ(status, 0) << said;
  EXPECT_THAT(said, AllOf(HasSubstr("tier B"), HasSubstr("on_exec"), HasSubstr("on_sys_exit"),
                          HasSubstr("on_socket_state"), HasSubstr("Operation not permitted")));
  EXPECT_THAT(names_in(open_to_all), IsEmpty());
  EXPECT_EQ(::umount(open_to_all.c_str()), 0);
}

}  // namespace
}  // namespace cairn::agent
