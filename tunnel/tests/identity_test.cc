#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/test_ca.h"
#include "tunnel/identity.h"

namespace cairn::tunnel {
namespace {

using testing::HasSubstr;
using testing_support::TestCa;

class StoredIdentity : public testing::Test {
 protected:
  StoredIdentity() {
    std::string pattern = (std::filesystem::temp_directory_path() / "cairn-identity.XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~StoredIdentity() override { std::filesystem::remove_all(folder_); }

  void damage(const char* file, const std::string& contents) { std::ofstream(folder_ / file) << contents; }

  TestCa cluster_;
  std::filesystem::path folder_;
};

TEST_F(StoredIdentity, ComesBackAsItWas) {
  Identity node = *cluster_.node("web-1");
  node.authorities.add_ssh_user_ca("ssh-ed25519 AAAA first");
  node.authorities.add_ssh_user_ca("ssh-ed25519 BBBB second");
  ASSERT_TRUE(store_identity(folder_, node).has_value());
  const Result<Identity> loaded = load_identity(folder_);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  EXPECT_EQ(loaded->private_pem, node.private_pem);
  EXPECT_EQ(loaded->certificate_pem, node.certificate_pem);
  EXPECT_EQ(loaded->authorities.SerializeAsString(), node.authorities.SerializeAsString());
  EXPECT_EQ(loaded->self.id, node.self.id);
  EXPECT_EQ(loaded->self.name, "web-1");
  EXPECT_EQ(loaded->not_after_s - loaded->not_before_s, 3660);
}

TEST_F(StoredIdentity, IsReadableByItsOwnerAlone) {
  ASSERT_TRUE(store_identity(folder_, *cluster_.node()).has_value());
  for (const auto& file : std::filesystem::directory_iterator(folder_)) {
    struct stat status{};
    ASSERT_EQ(::stat(file.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U) << file.path();
  }
}

TEST_F(StoredIdentity, ThatIsNotThereIsNotFound) {
  const Result<Identity> loaded = load_identity(folder_);
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code, std::errc::no_such_file_or_directory);
}

TEST_F(StoredIdentity, WithADamagedFileNamesIt) {
  ASSERT_TRUE(store_identity(folder_, *cluster_.node()).has_value());
  damage("identity.pem", "nonsense");
  const Result<Identity> loaded = load_identity(folder_);
  ASSERT_FALSE(loaded.has_value());
  EXPECT_THAT(loaded.error().message, HasSubstr((folder_ / "identity.pem").string()));
}

TEST_F(StoredIdentity, WithADamagedAuthorityIsRefused) {
  ASSERT_TRUE(store_identity(folder_, *cluster_.node()).has_value());
  damage("user_ca.pem", "");
  const Result<Identity> loaded = load_identity(folder_);
  ASSERT_FALSE(loaded.has_value());
  EXPECT_THAT(loaded.error().message, HasSubstr("authority"));
}

TEST_F(StoredIdentity, CanBeForgottenTwice) {
  ASSERT_TRUE(store_identity(folder_, *cluster_.node()).has_value());
  ASSERT_TRUE(forget_identity(folder_).has_value());
  ASSERT_TRUE(forget_identity(folder_).has_value());
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST(IdentityOfTwoHalves, IsRefused) {
  const TestCa cluster;
  const auto one = cluster.node();
  const auto other = cluster.node();
  const Result<Identity> mixed = make_identity(one->private_pem, other->certificate_pem, one->authorities);
  ASSERT_FALSE(mixed.has_value());
  EXPECT_THAT(mixed.error().message, HasSubstr("do not belong together"));
}

struct Uri {
  const char* name;
  Peer peer;
  const char* uri;
};

TestCa::Subject subject_of(const Peer& peer) {
  return {.role = peer.role, .id = peer.id, .name = peer.name, .cluster = peer.cluster};
}

class RoleUri : public testing::TestWithParam<Uri> {};

TEST_P(RoleUri, ComesBackFromTheCertificate) {
  const TestCa cluster;
  EXPECT_EQ(role_uri(GetParam().peer), GetParam().uri);
  const Peer read = cluster.identity(subject_of(GetParam().peer))->self;
  EXPECT_EQ(read.role, GetParam().peer.role);
  EXPECT_EQ(read.cluster, GetParam().peer.cluster);
  EXPECT_EQ(read.id, GetParam().peer.id);
  EXPECT_EQ(read.name, GetParam().peer.name);
}

constexpr const char* kUuid = "0b9cbf3a-6f6a-4a9e-8f5e-2d1d0c9b8a7f";

INSTANTIATE_TEST_SUITE_P(
    Table, RoleUri,
    testing::Values(Uri{"auth", {.role = Role::kAuth, .cluster = "c1"}, "cairn://c1/auth"},
                    Uri{"proxy",
                        {.role = Role::kProxy, .cluster = "c1", .id = kUuid, .name = "p"},
                        "cairn://c1/proxy/0b9cbf3a-6f6a-4a9e-8f5e-2d1d0c9b8a7f"},
                    Uri{"node",
                        {.role = Role::kNode, .cluster = "c1", .id = kUuid, .name = "web-1"},
                        "cairn://c1/node/0b9cbf3a-6f6a-4a9e-8f5e-2d1d0c9b8a7f"},
                    Uri{"user", {.role = Role::kUser, .cluster = "c1", .id = "alice"}, "cairn://c1/user/alice"}),
    [](const auto& uri) { return std::string(uri.param.name); });

class MalformedRoleUri : public testing::TestWithParam<Uri> {};

TEST_P(MalformedRoleUri, MakesTheCertificateNobodys) {
  const TestCa cluster;
  const Result<KeyPair> key = generate_tls_key();
  const auto pem = cluster.certificate(subject_of(GetParam().peer), key->public_der);
  const Result<Peer> peer = peer_of(parse_certificate(pem)->get());
  ASSERT_FALSE(peer.has_value());
  EXPECT_EQ(peer.error().code, Errc::kInvalid);
}

INSTANTIATE_TEST_SUITE_P(
    Table, MalformedRoleUri,
    testing::Values(Uri{"no_uuid", {.role = Role::kNode, .cluster = "c1", .id = "web-1"}, ""},
                    Uri{"path_in_uuid", {.role = Role::kNode, .cluster = "c1", .id = "../etc/passwd"}, ""},
                    Uri{"cluster_with_slash", {.role = Role::kUser, .cluster = "a/b", .id = "alice"}, ""},
                    Uri{"user_with_slash", {.role = Role::kUser, .cluster = "c1", .id = "alice/bob"}, ""},
                    Uri{"nameless_user", {.role = Role::kUser, .cluster = "c1", .id = ""}, ""}),
    [](const auto& uri) { return std::string(uri.param.name); });

}  // namespace
}  // namespace cairn::tunnel
