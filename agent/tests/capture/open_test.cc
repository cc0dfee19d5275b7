#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include <gmock/gmock.h>

#include "agent/tests/capture/live_capture.h"

namespace cairn::agent {
namespace {

using testing::SizeIs;

class OpenByATaggedTask : public LiveCapture {
 protected:
  std::filesystem::path write_file(const std::string& name) const { return write_script(name, "x"); }
};

TEST_F(OpenByATaggedTask, ShowsTheAbsolutePathOfARelativeOne) {
  const std::filesystem::path file = write_file("file");
  ::mkdir((folder() / "below").c_str(), 0755);
  ASSERT_EQ(::symlink("../file", (folder() / "below/link").c_str()), 0);
  const Recorded recorded = record([&] {
    if (::chdir((folder() / "below").c_str()) != 0) return 1;
    return ::open("./link", O_RDWR | O_APPEND | O_CLOEXEC) >= 0 ? 0 : 1;
  });
  recorded.expect_whole();
  ASSERT_THAT(recorded.opens_of(file), SizeIs(1));
  const recording::v1::Open open = recorded.opens_of(file)[0];
  EXPECT_EQ(open.claimed_path(), "./link");
  EXPECT_FALSE(open.claimed_unreadable());
  EXPECT_TRUE(open.file().complete());
  EXPECT_GE(open.result(), 0);
  EXPECT_EQ(open.flags() & (O_ACCMODE | O_APPEND | O_CLOEXEC), static_cast<uint32_t>(O_RDWR | O_APPEND | O_CLOEXEC));
  struct stat found{};
  ASSERT_EQ(::stat(file.c_str(), &found), 0);
  EXPECT_EQ(open.file().inode(), found.st_ino);
  EXPECT_EQ(open.file().device_major(), major(found.st_dev));
  EXPECT_EQ(open.file().device_minor(), minor(found.st_dev));
}

TEST_F(OpenByATaggedTask, ThatFailsIsRecordedWithWhatWasClaimed) {
  const Recorded recorded = record([&] {
    ::open("/nowhere/at/all", O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    ::open("", O_RDONLY | O_CLOEXEC);
    ::syscall(SYS_open, nullptr, O_RDONLY);
    return 0;
  });
  recorded.expect_whole();
  ASSERT_THAT(recorded.claimed("/nowhere/at/all"), SizeIs(1));
  const recording::v1::Open open = recorded.claimed("/nowhere/at/all")[0];
  EXPECT_EQ(open.result(), -ENOENT);
  EXPECT_EQ(open.mode(), 0640U);
  EXPECT_FALSE(open.has_file());
  ASSERT_THAT(recorded.opens(), SizeIs(3));
  EXPECT_FALSE(recorded.opens()[1].claimed_unreadable());
  EXPECT_TRUE(recorded.opens()[2].claimed_unreadable());
  EXPECT_EQ(recorded.opens()[2].result(), -EFAULT);
}

TEST_F(OpenByATaggedTask, IsSeenThroughEverySystemCallThatOpens) {
  const std::filesystem::path file = write_file("file");
  const Recorded recorded = record([&] {
    ::syscall(SYS_open, file.c_str(), O_RDONLY);
    ::syscall(SYS_openat, AT_FDCWD, file.c_str(), O_RDONLY);
    ::syscall(SYS_creat, file.c_str(), 0600);
    open_how how{.flags = O_PATH | O_CLOEXEC, .mode = 0, .resolve = RESOLVE_NO_SYMLINKS};
    ::syscall(SYS_openat2, AT_FDCWD, file.c_str(), &how, sizeof(how));
    alignas(file_handle) char bytes[sizeof(file_handle) + MAX_HANDLE_SZ]{};
    auto* handle = reinterpret_cast<file_handle*>(bytes);
    handle->handle_bytes = MAX_HANDLE_SZ;
    int mount_id = 0;
    if (::name_to_handle_at(AT_FDCWD, file.c_str(), handle, &mount_id, 0) == 0) {
      ::open_by_handle_at(::open(folder().c_str(), O_RDONLY | O_CLOEXEC), handle, O_RDONLY | O_CLOEXEC);
    }
    return 0;
  });
  recorded.expect_whole();
  std::vector<recording::v1::Open> opens = recorded.opens_of(file);
  ASSERT_GE(opens.size(), 4U);
  EXPECT_EQ(opens[2].flags(), static_cast<uint32_t>(O_CREAT | O_WRONLY | O_TRUNC));
  EXPECT_EQ(opens[2].mode(), 0600U);
  EXPECT_EQ(opens[3].flags(), static_cast<uint32_t>(O_PATH | O_CLOEXEC));
  if (recorded.opens_of(folder()).empty()) return;  // the file system knows no handles
  ASSERT_THAT(opens, SizeIs(5));
  EXPECT_EQ(opens[4].claimed_path(), "");
  EXPECT_FALSE(opens[4].claimed_unreadable());
}

// open(2) by the 32-bit gate, from 64-bit code: `path` must lie below 4 GiB.
int open_by_int80(const char* path) {
  int result = 5;
  asm volatile("int $0x80"
               : "+a"(result)
               : "b"(static_cast<uint32_t>(reinterpret_cast<uintptr_t>(path))), "c"(O_RDONLY), "d"(0)
               : "memory", "r8", "r9", "r10", "r11");
  return result;
}

TEST_F(OpenByATaggedTask, IsSeenThroughThe32BitGate) {
  const std::filesystem::path file = write_file("file");
  const Recorded recorded = record([&] {
    void* low = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    std::strcpy(static_cast<char*>(low), file.c_str());
    return open_by_int80(static_cast<char*>(low)) >= 0 ? 0 : 1;
  });
  recorded.expect_whole();
  ASSERT_THAT(recorded.exits(), SizeIs(1));
  if (recorded.exits()[0].exit_signal() != 0) GTEST_SKIP() << "the kernel has no 32-bit system calls";
  ASSERT_THAT(recorded.opens_of(file), SizeIs(1));
  EXPECT_EQ(recorded.opens_of(file)[0].claimed_path(), file.string());
}

TEST_F(OpenByATaggedTask, ShowsTheWholePathAcrossMountsAndFromWithinAChroot) {
  ::mkdir((folder() / "jail").c_str(), 0755);
  const Recorded recorded = record([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 1;
    if (::mount("tmpfs", (folder() / "jail").c_str(), "tmpfs", 0, nullptr) != 0) return 2;
    ::close(::open((folder() / "jail/outside").c_str(), O_CREAT | O_CLOEXEC | O_WRONLY, 0600));
    if (::chroot((folder() / "jail").c_str()) != 0 || ::chdir("/") != 0) return 3;
    ::close(::open("/inside", O_CREAT | O_CLOEXEC | O_WRONLY, 0600));
    return 0;
  });
  recorded.expect_whole();
  EXPECT_EQ(recorded.exits()[0].exit_status(), 0U);
  EXPECT_THAT(recorded.opens_of((folder() / "jail/outside").string()), SizeIs(1));
  ASSERT_THAT(recorded.claimed("/inside"), SizeIs(1));
  EXPECT_EQ(recorded.claimed("/inside")[0].file().path(), (folder() / "jail/inside").string());
}

TEST_F(OpenByATaggedTask, OfAFileWithoutANameShowsItsFileSystem) {
  const Recorded recorded = record([] {
    int ends[2];
    if (::pipe(ends) != 0) return 1;
    ::open(("/proc/self/fd/" + std::to_string(ends[0])).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return 0;
  });
  recorded.expect_whole();
  ASSERT_THAT(recorded.opens(), SizeIs(1));
  EXPECT_EQ(recorded.opens()[0].file().path(), "pipefs:[" + std::to_string(recorded.opens()[0].file().inode()) + "]");
}

TEST_F(OpenByATaggedTask, OfAPathTooLongToWalkLacksItsBeginningAndSaysSo) {
  const std::string component(200, 'd');
  const Recorded recorded = record([&] {
    if (::chdir(folder().c_str()) != 0) return 1;
    for (int depth = 0; depth < 25; ++depth) {
      if (::mkdir(component.c_str(), 0755) != 0 || ::chdir(component.c_str()) != 0) return 2;
    }
    return ::open("leaf", O_CREAT | O_CLOEXEC | O_WRONLY, 0600) >= 0 ? 0 : 3;
  });
  recorded.expect_whole();
  ASSERT_THAT(recorded.claimed("leaf"), SizeIs(1));
  const recording::v1::KernelPath file = recorded.claimed("leaf")[0].file();
  EXPECT_FALSE(file.complete());
  EXPECT_TRUE(file.path().starts_with(component + "/"));
  EXPECT_TRUE(file.path().ends_with("/" + component + "/leaf"));
  EXPECT_GT(file.path().size(), 4000U);
}

}  // namespace
}  // namespace cairn::agent
