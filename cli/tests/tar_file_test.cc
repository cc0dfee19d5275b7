#include "cli/evidence/tar_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/file.h"

namespace cairn::cli {
namespace {

class TarFileTest : public testing::Test {
 protected:
  TarFileTest() {
    std::string name = testing::TempDir() + "tar.XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~TarFileTest() override { std::filesystem::remove_all(folder_); }

  void make(const std::filesystem::path& path) {
    Result<TarFile> tar = TarFile::create(path, 1'700'000'000);
    ASSERT_TRUE(tar);
    ASSERT_TRUE(tar->add("a/empty", ""));
    ASSERT_TRUE(tar->begin("a/pieces"));
    ASSERT_TRUE(tar->write(std::string(511, 'x')));
    ASSERT_TRUE(tar->write(std::string(2, 'y')));
    ASSERT_TRUE(tar->end());
    ASSERT_TRUE(tar->add("a/b/block", std::string(512, 'z')));
    ASSERT_TRUE(tar->finish());
  }

  std::filesystem::path folder_;
};

TEST_F(TarFileTest, IsReadByTar) {
  make(folder_ / "one.tar");
  ASSERT_EQ(std::system(("tar -xf " + (folder_ / "one.tar").string() + " -C " + folder_.string()).c_str()), 0);
  EXPECT_EQ(read_file(folder_ / "a/empty", 4096).value(), "");
  EXPECT_EQ(read_file(folder_ / "a/pieces", 4096).value(), std::string(511, 'x') + "yy");
  EXPECT_EQ(read_file(folder_ / "a/b/block", 4096).value(), std::string(512, 'z'));
}

TEST_F(TarFileTest, IsTheSameForTheSame) {
  make(folder_ / "one.tar");
  make(folder_ / "two.tar");
  EXPECT_EQ(read_file(folder_ / "one.tar", 1 << 20).value(), read_file(folder_ / "two.tar", 1 << 20).value());
}

TEST_F(TarFileTest, LeavesNothingHalfMadeAndOverwritesNothing) {
  {
    Result<TarFile> tar = TarFile::create(folder_ / "half.tar", 0);
    ASSERT_TRUE(tar);
    ASSERT_TRUE(tar->begin("a"));
    ASSERT_TRUE(tar->write("b"));
    EXPECT_FALSE(TarFile::create(folder_ / "half.tar", 0));
    EXPECT_TRUE(std::filesystem::exists(folder_ / "half.tar"));
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "half.tar"));
}

}  // namespace
}  // namespace cairn::cli
