#include "agent/capture/noise_path.h"

#include <gtest/gtest.h>

namespace cairn::agent {
namespace {

TEST(NoisePath, IsWhatEveryStartOfAProgramReads) {
  for (const char* noise : {"/etc/ld.so.cache", "/usr/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2",
                            "/usr/share/zoneinfo/Europe/Berlin", "/usr/lib/locale/C.utf8/LC_CTYPE"})
    EXPECT_TRUE(is_noise_path(noise)) << noise;
  for (const char* telling : {"/etc/passwd", "/usr/lib/sudo/sudoers", "/home/a/libc.so.6", "/usr/lib/git-core/git", ""})
    EXPECT_FALSE(is_noise_path(telling)) << telling;
}

TEST(NoisePath, NamesWhatIsListedOfEveryProcess) {
  EXPECT_EQ(process_listing_name("/proc/1/stat"), "stat");
  EXPECT_EQ(process_listing_name("/proc/4194304/cmdline"), "cmdline");
  for (const char* telling :
       {"/proc/1/environ", "/proc/1/mem", "/proc/1/maps", "/proc/1/fd/stat", "/proc/1/task/1/stat", "/proc/stat",
        "/proc//stat", "/proc/1stat", "/proc/1/", "/proc/1", "/proc/", "/proc/self/stat", "/tmp/proc/1/stat", ""})
    EXPECT_EQ(process_listing_name(telling), "") << telling;
}

}  // namespace
}  // namespace cairn::agent
