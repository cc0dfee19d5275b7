#include "base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

namespace cairn {
namespace {

class Folder : public testing::Test {
 protected:
  Folder() {
    std::string name = testing::TempDir() + "cairn-file-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() override { std::filesystem::remove_all(path_); }
  std::filesystem::path path_;
};

TEST_F(Folder, HoldsAnAtomicallyWrittenFileWithItsMode) {
  ASSERT_TRUE(write_file_atomically(path_ / "key", "secret", 0600));
  EXPECT_EQ(read_file(path_ / "key", 100).value(), "secret");
  struct stat status{};
  ASSERT_EQ(::stat((path_ / "key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path_), {}), 1) << "a temporary file stayed behind";
}

TEST_F(Folder, RefusesToReadMoreThanTheLimit) {
  ASSERT_TRUE(write_file_atomically(path_ / "big", std::string(101, 'x'), 0600));
  EXPECT_EQ(read_file(path_ / "big", 100).error().code, Errc::kTooLarge);
}

TEST_F(Folder, GivesASecretOnlyFromAFileThatIsClosedToOthers) {
  ASSERT_TRUE(write_file_atomically(path_ / "secret", "s", 0600));
  EXPECT_EQ(read_private_file(path_ / "secret", 10).value(), "s");
  ASSERT_TRUE(write_file_atomically(path_ / "secret", "s", 0640));
  const Result<std::string> read = read_private_file(path_ / "secret", 10);
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, testing::HasSubstr("its mode 0640 opens it to others; run: chmod 600 "));
}

TEST_F(Folder, IsNamedWhenAFileStandsInItsPlace) {
  std::ofstream(path_ / "file") << "x";
  const Result<void> made = make_private_directory(path_ / "file");
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find((path_ / "file").string()), std::string::npos) << made.error().message;
}

}  // namespace
}  // namespace cairn
