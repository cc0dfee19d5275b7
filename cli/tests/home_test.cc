#include <sys/stat.h>

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/file.h"
#include "cli/home/home.h"
#include "cli/home/ssh_config.h"
#include "cli/home/ssh_key.h"
#include "cli/tests/run_program.h"
#include "tests/support/test_ca.h"

namespace cairn::cli {
namespace {

using testing::HasSubstr;
using testing_support::Ran;
using testing_support::run_program;
using testing_support::TemporaryFolder;

mode_t mode_of(const std::filesystem::path& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 0777 : 0;
}

class ProfileStore : public testing::Test {
 protected:
  TemporaryFolder folder_;
  Home home_{folder_.path() / "home"};
};

TEST_F(ProfileStore, GivesBackWhatItWasGiven) {
  ASSERT_TRUE(home_.create());
  EXPECT_TRUE(home_.load_profile().value().proxy.empty());
  ASSERT_TRUE(home_.store_profile(
      {.proxy = "[::1]:3080", .cluster = "home", .user = "a: \"b\" # c\n", .ca_pin = "sha256:00ff"}));
  const Profile profile = home_.load_profile().value();
  EXPECT_EQ(profile.proxy, "[::1]:3080");
  EXPECT_EQ(profile.cluster, "home");
  EXPECT_EQ(profile.user, "a: \"b\" # c\n");
  EXPECT_EQ(profile.ca_pin, "sha256:00ff");
}

TEST_F(ProfileStore, IsForItsOwnerAlone) {
  std::filesystem::create_directory(home_.root());
  ::chmod(home_.root().c_str(), 0755);
  ASSERT_TRUE(home_.create());
  ASSERT_TRUE(home_.store_profile({}));
  EXPECT_EQ(mode_of(home_.root()), 0700u);
  EXPECT_EQ(mode_of(home_.profile_file()), 0600u);
}

TEST_F(ProfileStore, NamesTheLineThatItCannotRead) {
  ASSERT_TRUE(home_.create());
  std::ofstream(home_.profile_file()) << "proxy: a\nprxy: b\n";
  const auto profile = home_.load_profile();
  ASSERT_FALSE(profile);
  EXPECT_THAT(profile.error().message,
              HasSubstr("profile.yaml:2: unknown key \"prxy\"; did you mean \"proxy\"?; repair or remove that file"));
}

TEST_F(ProfileStore, ForgetsKeysAndKeepsTheProfile) {
  ASSERT_TRUE(home_.create());
  ASSERT_TRUE(home_.store_profile({.proxy = "p:1", .cluster = "c", .user = "u", .ca_pin = ""}));
  EXPECT_FALSE(home_.forget_keys().value());
  ASSERT_TRUE(tunnel::store_identity(home_.root(), *cairn::testing_support::TestCa().user()));
  for (const auto& file : {home_.ssh_key(), home_.ssh_certificate(), home_.ssh_config()}) std::ofstream(file) << "x";
  EXPECT_TRUE(home_.forget_keys().value());
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(home_.root())) left.push_back(entry.path().filename());
  EXPECT_THAT(left, testing::ElementsAre("profile.yaml"));
}

TEST(SshKeyPair, IsReadByStockSshKeygen) {
  const TemporaryFolder folder;
  const SshKey key = generate_ssh_key().value();
  const auto file = folder.path() / "id_ed25519";
  ASSERT_TRUE(write_file_atomically(file, key.private_pem, 0600));
  const Ran derived = run_program({"ssh-keygen", "-y", "-f", file.string()});
  EXPECT_EQ(derived.exit_code, 0) << derived.err;
  EXPECT_THAT(derived.out, testing::StartsWith(key.public_line));
}

class SshConfigBlock : public testing::Test {
 protected:
  std::string text(const std::string& root, const std::string& pattern = "*.home") {
    const SshConfig config{.host_pattern = pattern, .cairn = "/usr/bin/cairn", .home = Home(root)};
    return config.text().value();
  }
  // What stock ssh makes of it for a host.
  std::string as_ssh_reads(const std::string& config, const std::string& host) {
    const auto file = folder_.path() / "config";
    std::ofstream(file) << config;
    const Ran ran = run_program({"ssh", "-G", "-F", file.string(), host});
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    return ran.out;
  }
  TemporaryFolder folder_;
};

TEST_F(SshConfigBlock, IsWhatStockSshUnderstands) {
  const std::string read = as_ssh_reads(text("/home/alice/.cairn"), "web-1.home");
  EXPECT_THAT(read, HasSubstr("\nproxycommand \"/usr/bin/cairn\" --home \"/home/alice/.cairn\" proxy ssh %h\n"));
  EXPECT_THAT(read, HasSubstr("\nknownhostscommand \"/usr/bin/cairn\" --home \"/home/alice/.cairn\" known-hosts %H\n"));
  EXPECT_THAT(read, HasSubstr("\nuserknownhostsfile /dev/null\n"));
  EXPECT_THAT(read, HasSubstr("\nglobalknownhostsfile /dev/null\n"));
  EXPECT_THAT(read, HasSubstr("\nstricthostkeychecking true\n"));
  EXPECT_THAT(read, HasSubstr("\nidentityfile /home/alice/.cairn/id_ed25519\n"));
  EXPECT_THAT(read, HasSubstr("\ncertificatefile /home/alice/.cairn/id_ed25519-cert.pub\n"));
  EXPECT_THAT(read, HasSubstr("\nidentitiesonly yes\n"));
}

TEST_F(SshConfigBlock, TouchesNoOtherHost) {
  EXPECT_THAT(as_ssh_reads(text("/home/alice/.cairn"), "example.org"), testing::Not(HasSubstr("cairn")));
}

TEST_F(SshConfigBlock, CarriesBlanksAndPercentSigns) {
  const std::string read = as_ssh_reads(text("/home/a b/100%.cairn"), "web-1.home");
  EXPECT_THAT(read, HasSubstr("--home \"/home/a b/100%%.cairn\" proxy ssh"));
  EXPECT_THAT(read, HasSubstr("\nidentityfile /home/a b/100%%.cairn/id_ed25519\n"));
}

TEST_F(SshConfigBlock, RefusesPathsThatCannotBeQuoted) {
  for (const char* root : {"/h/a\"b", "/h/$HOME", "/h/`id`", "/h/a\nb", "/h/a\\b"}) {
    const SshConfig config{.host_pattern = "*", .cairn = "/usr/bin/cairn", .home = Home(root)};
    const Result<std::string> text = config.text();
    ASSERT_FALSE(text) << root;
    EXPECT_THAT(text.error().message, HasSubstr("ssh_config cannot carry"));
  }
}

}  // namespace
}  // namespace cairn::cli
