#include "agent/enroll/ssh_host_key.h"

#include <sys/stat.h>

#include <gmock/gmock.h>

#include "agent/tests/supervisor/temporary_folder.h"
#include "base/file.h"

namespace cairn::agent {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(SshHostKey, IsMadeOnceForItsOwnerAlone) {
  const TemporaryFolder folder;
  const Result<std::string> made = ensure_ssh_host_key(folder.path());
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_THAT(*made, StartsWith("ssh-ed25519 AAAA"));

  struct stat status{};
  ASSERT_EQ(::stat(ssh_host_key_path(folder.path()).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  const Result<std::string> contents = read_file(ssh_host_key_path(folder.path()), 4096);
  ASSERT_TRUE(contents);
  EXPECT_THAT(*contents, StartsWith("-----BEGIN OPENSSH PRIVATE KEY-----"));

  const Result<std::string> again = ensure_ssh_host_key(folder.path());
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *made);
}

TEST(SshHostKey, ThatIsDamagedIsNotReplacedInSilence) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomically(ssh_host_key_path(folder.path()), "garbage", 0600));
  const Result<std::string> key = ensure_ssh_host_key(folder.path());
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().code, Errc::kCorrupt);
  EXPECT_THAT(key.error().message, HasSubstr("ssh_host_ed25519_key"));
}

}  // namespace
}  // namespace cairn::agent
