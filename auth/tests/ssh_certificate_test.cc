#include "auth/ca/ssh_certificate.h"

#include <gmock/gmock.h>

#include "auth/ca/ssh_key_file.h"
#include "auth/tests/auth_fixture.h"
#include "base/file.h"

namespace cairn::auth {
namespace {

using testing::HasSubstr;

class SshCertificate : public testing::Test {
 protected:
  // A key that ssh-keygen has made.
  SshPublicKey subject(const std::string& options) {
    const std::string path = (folder_.path() / "key").string();
    std::filesystem::remove(path);
    const Ran ran = run_program(fmt::format("ssh-keygen -q -N '' -C '' {} -f {}", options, path));
    EXPECT_EQ(ran.status, 0) << ran.output;
    return parse_ssh_public_key(read_file(path + ".pub", kMaxSshKeyLineBytes).value()).value();
  }

  SshCertificateOrder order() const {
    return {.key_id = "alice",
            .principals = {"deploy", "root"},
            .valid_after_wall_s = clock_.wall_s() - 60,
            .valid_before_wall_s = clock_.wall_s() + 3600};
  }

  // What ssh-keygen reads in it.
  std::string shown(const std::string& line) {
    const std::filesystem::path path = folder_.path() / "shown-cert.pub";
    EXPECT_TRUE(write_file_atomically(path, line + "\n", 0600));
    return run_program("TZ=UTC ssh-keygen -L -f " + path.string()).output;
  }

  TempFolder folder_;
  FakeClock clock_;
  SshAuthority authority_ = SshAuthority::open(folder_.path() / "ssh_user_ca", "testing").value();
};

struct Algorithm {
  const char* name;
  const char* options;
  const char* certificate_type;
};
class SubjectKey : public SshCertificate, public testing::WithParamInterface<Algorithm> {};

TEST_P(SubjectKey, GetsACertificateThatSshKeygenReads) {
  const Result<std::string> line = authority_.issue(subject(GetParam().options), order());
  ASSERT_TRUE(line) << line.error().message;
  const std::string text = shown(*line);
  EXPECT_THAT(text, HasSubstr(fmt::format("Type: {} user certificate", GetParam().certificate_type)));
  EXPECT_THAT(text, HasSubstr("Key ID: \"alice\""));
  EXPECT_THAT(text, testing::ContainsRegex("Principals: *\n *deploy\n *root\n"));
  EXPECT_THAT(text, testing::ContainsRegex("Critical Options: \\(none\\)"));
  EXPECT_THAT(text, testing::ContainsRegex(
                        "permit-X11-forwarding\n *permit-agent-forwarding\n *permit-port-forwarding\n *permit-pty\n"));
  EXPECT_THAT(text, HasSubstr("Valid: from 2023-11-14T22:29:00 to 2023-11-14T23:30:00"));
}

TEST_P(SubjectKey, IsFoundAgainByTheAuthorityThatSigned) {
  const std::string line = authority_.issue(subject(GetParam().options), order()).value();
  const Result<SshCertificateView> view = authority_.verify(parse_ssh_public_key(line)->blob, clock_.wall_s());
  ASSERT_TRUE(view) << view.error().message;
  EXPECT_EQ(view->key_id, "alice");
  EXPECT_THAT(view->principals, testing::ElementsAre("deploy", "root"));
}

INSTANTIATE_TEST_SUITE_P(
    Types, SubjectKey,
    testing::Values(Algorithm{"ed25519", "-t ed25519", "ssh-ed25519-cert-v01@openssh.com"},
                    Algorithm{"ecdsa256", "-t ecdsa -b 256", "ecdsa-sha2-nistp256-cert-v01@openssh.com"},
                    Algorithm{"ecdsa384", "-t ecdsa -b 384", "ecdsa-sha2-nistp384-cert-v01@openssh.com"},
                    Algorithm{"ecdsa521", "-t ecdsa -b 521", "ecdsa-sha2-nistp521-cert-v01@openssh.com"},
                    Algorithm{"rsa2048", "-t rsa -b 2048", "ssh-rsa-cert-v01@openssh.com"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(SshCertificate, IsSignedSoThatOpensshBelievesIt) {
  // ssh-keygen checks a certificate's signature when it is given as a signer.
  const SshPublicKey key = subject("-t ed25519");
  const std::string line = authority_.issue(key, order()).value();
  const std::string folder = folder_.path().string();
  ASSERT_TRUE(write_file_atomically(folder_.path() / "key-cert.pub", line + "\n", 0600));
  ASSERT_TRUE(write_file_atomically(folder_.path() / "signers",
                                    "deploy cert-authority " + authority_.public_line() + "\n", 0600));
  const Ran ran = run_program(fmt::format(
      "cd {} && echo text > message && ssh-keygen -q -Y sign -n test -f key-cert.pub message && ssh-keygen -Y verify "
      "-Overify-time=20231114223500 -f signers -I deploy -n test -s message.sig < message",
      folder));
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("Good \"test\" signature for deploy"));
}

TEST_F(SshCertificate, IsNotMadeWithoutPrincipals) {
  SshCertificateOrder nobody = order();
  nobody.principals.clear();
  EXPECT_EQ(code_of(authority_.issue(subject("-t ed25519"), nobody)), Errc::kInternal);
}

TEST_F(SshCertificate, IsNotMadeForWeakOrForeignKeys) {
  EXPECT_THAT(message_of(authority_.issue(subject("-t rsa -b 1024"), order())), HasSubstr("RSA of 1024 bits"));
  EXPECT_EQ(code_of(authority_.issue(subject("-t dsa"), order())), Errc::kUnsupported);
  SshPublicKey cut = subject("-t ed25519");
  cut.blob.pop_back();
  EXPECT_THAT(message_of(authority_.issue(cut, order())), HasSubstr("an Ed25519 key has 32 bytes"));
  SshPublicKey beside = subject("-t ecdsa -b 256");
  beside.blob.back() = static_cast<char>(beside.blob.back() ^ 1);
  EXPECT_THAT(message_of(authority_.issue(beside, order())), HasSubstr("no point of its curve"));
}

TEST_F(SshCertificate, OfAnotherAuthorityIsDenied) {
  const SshAuthority other = SshAuthority::open(folder_.path() / "other", "testing").value();
  const std::string line = other.issue(subject("-t ed25519"), order()).value();
  EXPECT_THAT(message_of(authority_.verify(parse_ssh_public_key(line)->blob, clock_.wall_s())),
              HasSubstr("not this cluster's"));
}

TEST_F(SshCertificate, WithAnyBitFlippedIsDenied) {
  const std::string blob = parse_ssh_public_key(authority_.issue(subject("-t ed25519"), order()).value())->blob;
  for (size_t at = 0; at < blob.size(); ++at) {
    std::string changed = blob;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    EXPECT_FALSE(authority_.verify(changed, clock_.wall_s())) << "byte " << at;
  }
}

TEST_F(SshCertificate, CutAnywhereIsRefused) {
  const std::string blob = parse_ssh_public_key(authority_.issue(subject("-t ed25519"), order()).value())->blob;
  for (size_t keep = 0; keep < blob.size(); ++keep)
    EXPECT_FALSE(authority_.verify(std::string_view(blob).substr(0, keep), clock_.wall_s())) << keep << " bytes";
}

TEST_F(SshCertificate, OutsideItsTimeIsDenied) {
  const std::string blob = parse_ssh_public_key(authority_.issue(subject("-t ed25519"), order()).value())->blob;
  EXPECT_THAT(message_of(authority_.verify(blob, clock_.wall_s() + 3600)),
              HasSubstr("expired at 2023-11-14T23:30:00Z; run \"cairn login\""));
  EXPECT_THAT(message_of(authority_.verify(blob, clock_.wall_s() - 61)), HasSubstr("not yet valid"));
}

TEST_F(SshCertificate, OfAHostIsDenied) {
  const SshPublicKey key = subject("-t ed25519");
  const std::string folder = folder_.path().string();
  const Ran ran = run_program(
      fmt::format("cd {} && ssh-keygen -q -s ssh_user_ca -h -I alice -n deploy -V always:forever key.pub", folder));
  ASSERT_EQ(ran.status, 0) << ran.output;
  const std::string line = read_file(folder_.path() / "key-cert.pub", kMaxSshKeyLineBytes).value();
  EXPECT_THAT(message_of(authority_.verify(parse_ssh_public_key(line)->blob, clock_.wall_s())),
              HasSubstr("not a user certificate"));
}

TEST(OpensshPrivateKey, OfAnotherKindIsRefusedWithTheReason) {
  const TempFolder folder;
  const std::string path = (folder.path() / "key").string();
  run_program("ssh-keygen -q -t ed25519 -N secret -f " + path);
  EXPECT_THAT(message_of(private_key_from_openssh(read_file(path, 65536).value())), HasSubstr("ssh-keygen -p"));
  std::filesystem::remove(path);
  run_program("ssh-keygen -q -t ecdsa -N '' -f " + path);
  EXPECT_EQ(code_of(private_key_from_openssh(read_file(path, 65536).value())), Errc::kUnsupported);
  EXPECT_EQ(code_of(private_key_from_openssh("")), Errc::kCorrupt);
}

}  // namespace
}  // namespace cairn::auth
