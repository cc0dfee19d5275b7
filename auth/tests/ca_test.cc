#include <gmock/gmock.h>
#include <sys/stat.h>

#include "auth/tests/auth_fixture.h"
#include "base/file.h"

namespace cairn::auth {
namespace {

using testing::HasSubstr;

mode_t mode_of(const std::filesystem::path& path) {
  struct stat status{};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777;
}

class FreshAuthorities : public testing::Test {
 protected:
  Authorities open() { return Authorities::open(folder_.path() / "ca", "testing", clock_.wall_s()).value(); }

  std::string write(const std::string& name, const std::string& contents) {
    const std::filesystem::path path = folder_.path() / name;
    EXPECT_TRUE(write_file_atomically(path, contents, 0600));
    return path.string();
  }

  // A node's certificate, in a file.
  std::string node_certificate(const Authorities& authorities, int64_t life_s = 3600) {
    const CertificateOrder order{.uri = "cairn://testing/node/4be643cb-94b0-4f55-b63a-0d0d3a7cb1d1",
                                 .dns = "web-1",
                                 .common_name = "web-1",
                                 .is_server = false,
                                 .not_before_wall_s = clock_.wall_s(),
                                 .not_after_wall_s = clock_.wall_s() + life_s};
    return write("node.pem", authorities.hosts().issue(tunnel::generate_tls_key()->public_der, order).value());
  }

  std::string verify(const std::string& authority, const std::string& certificate, int64_t at_wall_s) {
    return run_program(fmt::format("openssl verify -attime {} -CAfile {}/ca/{}.pem {}", at_wall_s,
                                   folder_.path().string(), authority, certificate))
        .output;
  }

  TempFolder folder_;
  FakeClock clock_;
};

TEST_F(FreshAuthorities, KeepTheirKeysFromOthers) {
  const Authorities authorities = open();
  EXPECT_EQ(mode_of(folder_.path() / "ca"), 0700U);
  for (const char* key : {"host_ca.key", "user_ca.key", "ssh_user_ca"})
    EXPECT_EQ(mode_of(folder_.path() / "ca" / key), 0600U) << key;
}

TEST_F(FreshAuthorities, AreTheSameAfterARestart) {
  const Authorities first = open();
  const Authorities second = open();
  EXPECT_EQ(first.ca_pin(), second.ca_pin());
  EXPECT_EQ(first.public_parts().SerializeAsString(), second.public_parts().SerializeAsString());
}

TEST_F(FreshAuthorities, ArePinnedByTheHostCasPublicKey) {
  const Authorities authorities = open();
  const Ran ran = run_program(
      fmt::format("openssl x509 -in {}/ca/host_ca.pem -noout -pubkey | openssl pkey -pubin -outform der | sha256sum",
                  folder_.path().string()));
  EXPECT_EQ(authorities.ca_pin(), "sha256:" + ran.output.substr(0, 64));
}

TEST_F(FreshAuthorities, RefuseToStartWithoutAKeyTheyHadBefore) {
  open();
  std::filesystem::remove(folder_.path() / "ca/host_ca.key");
  const Result<Authorities> authorities = Authorities::open(folder_.path() / "ca", "testing", clock_.wall_s());
  EXPECT_THAT(message_of(authorities), HasSubstr("host_ca.key is not; restore both from the backup"));
}

TEST_F(FreshAuthorities, RefuseKeyAndCertificateThatDoNotBelongTogether) {
  open();
  std::filesystem::copy_file(folder_.path() / "ca/user_ca.key", folder_.path() / "ca/host_ca.key",
                             std::filesystem::copy_options::overwrite_existing);
  const Result<Authorities> authorities = Authorities::open(folder_.path() / "ca", "testing", clock_.wall_s());
  EXPECT_THAT(message_of(authorities), HasSubstr("do not belong together"));
}

TEST_F(FreshAuthorities, MakeTheCertificateAfterACrashBetweenKeyAndCertificate) {
  const std::string pin = open().ca_pin();
  std::filesystem::remove(folder_.path() / "ca/host_ca.pem");
  EXPECT_EQ(open().ca_pin(), pin);
}

TEST_F(FreshAuthorities, GiveSshKeygenAKeyThatItCanUse) {
  const Authorities authorities = open();
  const Ran ran = run_program(fmt::format("ssh-keygen -y -f {}/ca/ssh_user_ca", folder_.path().string()));
  EXPECT_EQ(ran.output, authorities.ssh_users().public_line() + "\n");
}

TEST_F(FreshAuthorities, IssueWhatOpensslVerifies) {
  const Authorities authorities = open();
  const std::string certificate = node_certificate(authorities);
  EXPECT_THAT(verify("host_ca", certificate, clock_.wall_s()), HasSubstr("OK"));
  EXPECT_THAT(verify("user_ca", certificate, clock_.wall_s()), HasSubstr("unable to get local issuer"));
}

TEST_F(FreshAuthorities, IssueForAsLongAsWasOrderedAndAMinuteBefore) {
  const Authorities authorities = open();
  const std::string certificate = node_certificate(authorities, 600);
  EXPECT_THAT(verify("host_ca", certificate, clock_.wall_s() - 59), HasSubstr("OK"));
  EXPECT_THAT(verify("host_ca", certificate, clock_.wall_s() - 61), HasSubstr("not yet valid"));
  EXPECT_THAT(verify("host_ca", certificate, clock_.wall_s() + 599), HasSubstr("OK"));
  EXPECT_THAT(verify("host_ca", certificate, clock_.wall_s() + 601), HasSubstr("expired"));
}

TEST_F(FreshAuthorities, NameTheRoleInTheOneUri) {
  const Authorities authorities = open();
  const std::string text = run_program("openssl x509 -noout -text -in " + node_certificate(authorities)).output;
  EXPECT_THAT(text, HasSubstr("URI:cairn://testing/node/4be643cb-94b0-4f55-b63a-0d0d3a7cb1d1, DNS:web-1"));
  EXPECT_THAT(text, HasSubstr("TLS Web Client Authentication"));
  EXPECT_THAT(text, testing::Not(HasSubstr("TLS Web Server Authentication")));
  EXPECT_THAT(text, HasSubstr("CA:FALSE"));
}

TEST_F(FreshAuthorities, GiveEachCertificateAnotherSerial) {
  const Authorities authorities = open();
  const std::string first = run_program("openssl x509 -noout -serial -in " + node_certificate(authorities)).output;
  const std::string second = run_program("openssl x509 -noout -serial -in " + node_certificate(authorities)).output;
  EXPECT_NE(first, second);
}

TEST_F(FreshAuthorities, CertifyNothingButP256Keys) {
  const Authorities authorities = open();
  const CertificateOrder order{.uri = "cairn://testing/node/x",
                               .dns = {},
                               .common_name = "x",
                               .is_server = false,
                               .not_before_wall_s = 0,
                               .not_after_wall_s = 1};
  std::string good = tunnel::generate_tls_key()->public_der;
  EXPECT_EQ(code_of(authorities.hosts().issue("", order)), Errc::kInvalid);
  EXPECT_EQ(code_of(authorities.hosts().issue("nonsense", order)), Errc::kInvalid);
  EXPECT_EQ(code_of(authorities.hosts().issue(good + "x", order)), Errc::kInvalid);
  good.back() = static_cast<char>(good.back() ^ 1);
  EXPECT_EQ(code_of(authorities.hosts().issue(good, order)), Errc::kInvalid) << "a point beside the curve";
  const std::string p384 = from_base64(run_program("openssl ecparam -name secp384r1 -genkey -noout | "
                                                   "openssl pkey -pubout -outform der | base64 -w0")
                                           .output)
                               .value();
  EXPECT_THAT(message_of(authorities.hosts().issue(p384, order)), HasSubstr("not of the curve P-256"));
}

}  // namespace
}  // namespace cairn::auth
