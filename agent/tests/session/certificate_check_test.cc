#include "agent/session/certificate_check.h"

#include <ctime>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/session/ssh_certificate.h"
#include "agent/tests/session/ssh_fixture.h"

namespace cairn::agent {
namespace {

using testing::HasSubstr;

constexpr const char* kHour = "-1h:+1h";

CertificateSituation situation(const SshKeys& keys) {
  return {.authorities = {keys.blob("ca.pub")},
          .login = "deploy",
          .client_address = "192.0.2.7:5022",
          .now_s = std::time(nullptr)};
}

struct KeyKind {
  const char* name;
  const char* type;
  int bits;
};
void PrintTo(const KeyKind& kind, std::ostream* out) { *out << kind.name; }

class CertificateOfAKind : public testing::TestWithParam<KeyKind> {};

TEST_P(CertificateOfAKind, IsAcceptedWithItsTerms) {
  const SshKeys keys;
  keys.make_key("key", GetParam().type, GetParam().bits);
  keys.certify("key", "ca", {"-n", "deploy,root", "-V", kHour, "-z", "17"});
  const auto terms = check_certificate(keys.blob("key-cert.pub"), situation(keys));
  ASSERT_TRUE(terms) << terms.error().message;
  EXPECT_EQ(terms->key_id, "alice@testing");
  EXPECT_EQ(terms->serial, 17U);
  EXPECT_TRUE(terms->may_have_pty);
  EXPECT_FALSE(terms->forced_command);
}

TEST_P(CertificateOfAKind, IsAcceptedWhenSignedByAnAuthorityOfThatKind) {
  const SshKeys keys;
  keys.make_key("authority", GetParam().type, GetParam().bits);
  keys.make_key("key");
  keys.certify("key", "authority", {"-n", "deploy", "-V", kHour});
  CertificateSituation here = situation(keys);
  here.authorities.push_back(keys.blob("authority.pub"));
  const auto terms = check_certificate(keys.blob("key-cert.pub"), here);
  EXPECT_TRUE(terms) << terms.error().message;
}

INSTANTIATE_TEST_SUITE_P(Kinds, CertificateOfAKind,
                         testing::Values(KeyKind{"ed25519", "ed25519", 0}, KeyKind{"ecdsa_p256", "ecdsa", 256},
                                         KeyKind{"ecdsa_p384", "ecdsa", 384}, KeyKind{"ecdsa_p521", "ecdsa", 521},
                                         KeyKind{"rsa_2048", "rsa", 2048}),
                         [](const auto& kind) { return std::string(kind.param.name); });

struct Refusal {
  const char* name;
  std::vector<std::string> options;  // of ssh-keygen
  const char* sentence;              // part of what the person reads
  const char* authority = "ca";
};
void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.name; }

class RefusedCertificate : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedCertificate, SaysWhy) {
  const SshKeys keys;
  keys.make_key("foreign");
  keys.make_key("key");
  keys.certify("key", GetParam().authority, GetParam().options);
  const auto terms = check_certificate(keys.blob("key-cert.pub"), situation(keys));
  ASSERT_FALSE(terms);
  EXPECT_THAT(terms.error().message, HasSubstr(GetParam().sentence));
}

INSTANTIATE_TEST_SUITE_P(
    Reasons, RefusedCertificate,
    testing::Values(Refusal{"expired", {"-n", "deploy", "-V", "-2h:-1h"}, "the certificate expired 60 min ago, at "},
                    Refusal{"future", {"-n", "deploy", "-V", "+1h:+2h"}, "not yet valid"},
                    Refusal{"foreign_authority",
                            {"-n", "deploy", "-V", kHour},
                            "authority that this cluster does not know (SHA256:",
                            "foreign"},
                    Refusal{"wrong_principal",
                            {"-n", "bob,eve", "-V", kHour},
                            "does not list the principal deploy; it is good for: bob, eve"},
                    Refusal{"no_principals", {"-V", kHour}, "lists no principals"},
                    Refusal{"host_certificate", {"-h", "-n", "deploy", "-V", kHour}, "it is a host certificate"},
                    Refusal{"unknown_critical_option",
                            {"-n", "deploy", "-V", kHour, "-O", "critical:frobnicate=1"},
                            "critical option frobnicate"},
                    Refusal{"other_source_v4",
                            {"-n", "deploy", "-V", kHour, "-O", "source-address=198.51.100.0/24"},
                            "may be used from 198.51.100.0/24 only (source-address), not from 192.0.2.7"},
                    Refusal{"other_source_v6",
                            {"-n", "deploy", "-V", kHour, "-O", "source-address=2001:db8::/32"},
                            "(source-address)"}),
    [](const auto& refusal) { return std::string(refusal.param.name); });

TEST(CertificateWithOptions, ForcesItsCommandAndMayLackAPty) {
  const SshKeys keys;
  keys.make_key("key");
  keys.certify("key", "ca",
               {"-n", "deploy", "-V", kHour, "-O", "force-command=uptime -p", "-O", "no-pty", "-O",
                "source-address=2001:db8::/32,192.0.2.0/28"});
  const auto terms = check_certificate(keys.blob("key-cert.pub"), situation(keys));
  ASSERT_TRUE(terms) << terms.error().message;
  EXPECT_EQ(terms->forced_command, "uptime -p");
  EXPECT_FALSE(terms->may_have_pty);
}

TEST(CertificateForEver, NeverExpires) {
  const SshKeys keys;
  keys.make_key("key");
  keys.certify("key", "ca", {"-n", "deploy"});
  EXPECT_TRUE(check_certificate(keys.blob("key-cert.pub"), situation(keys)));
}

TEST(PlainKey, IsRefusedAndSentToCairnLogin) {
  const SshKeys keys;
  keys.make_key("key");
  const auto terms = check_certificate(keys.blob("key.pub"), situation(keys));
  ASSERT_FALSE(terms);
  EXPECT_THAT(terms.error().message, HasSubstr("plain key"));
  EXPECT_THAT(terms.error().message, HasSubstr("cairn login"));
}

TEST(SmallRsaKey, IsRefused) {
  const SshKeys keys;
  keys.make_key("key", "rsa", 1024);
  keys.certify("key", "ca", {"-n", "deploy", "-V", kHour});
  const auto terms = check_certificate(keys.blob("key-cert.pub"), situation(keys));
  ASSERT_FALSE(terms);
  EXPECT_THAT(terms.error().message, HasSubstr("RSA key of 1024 bits"));
}

TEST(RsaAuthority, IsRefusedWithSha1) {
  const SshKeys keys;
  keys.make_key("authority", "rsa", 2048);
  keys.make_key("key");
  keys.certify("key", "authority", {"-t", "ssh-rsa", "-n", "deploy", "-V", kHour});
  CertificateSituation here = situation(keys);
  here.authorities = {keys.blob("authority.pub")};
  const auto terms = check_certificate(keys.blob("key-cert.pub"), here);
  ASSERT_FALSE(terms);
  EXPECT_THAT(terms.error().message, HasSubstr("signature of type ssh-rsa"));
}

class DamagedCertificate : public testing::TestWithParam<KeyKind> {
 protected:
  DamagedCertificate() {
    keys_.make_key("key", GetParam().type, GetParam().bits);
    keys_.certify("key", "ca", {"-n", "deploy", "-V", kHour, "-O", "source-address=192.0.2.0/24"});
    blob_ = keys_.blob("key-cert.pub");
  }

  SshKeys keys_;
  std::string blob_;
};

TEST_P(DamagedCertificate, IsRefusedWhenCutAnywhere) {
  const CertificateSituation here = situation(keys_);
  for (size_t kept = 0; kept < blob_.size(); ++kept)
    EXPECT_FALSE(check_certificate(blob_.substr(0, kept), here)) << "the first " << kept << " of " << blob_.size();
}

TEST_P(DamagedCertificate, IsRefusedWithAnyByteAltered) {
  const CertificateSituation here = situation(keys_);
  for (size_t at = 0; at < blob_.size(); ++at) {
    std::string altered = blob_;
    altered[at] = static_cast<char>(altered[at] ^ 0x01);
    EXPECT_FALSE(check_certificate(altered, here)) << "byte " << at << " of " << blob_.size();
  }
}

TEST_P(DamagedCertificate, IsRefusedWithBytesAppended) {
  EXPECT_FALSE(check_certificate(blob_ + '\0', situation(keys_)));
}

INSTANTIATE_TEST_SUITE_P(Kinds, DamagedCertificate,
                         testing::Values(KeyKind{"ed25519", "ed25519", 0}, KeyKind{"ecdsa", "ecdsa", 256},
                                         KeyKind{"rsa", "rsa", 2048}),
                         [](const auto& kind) { return std::string(kind.param.name); });

TEST(CertificateBeyondTheLimit, IsRefusedBeforeItIsRead) {
  const auto certificate = parse_ssh_certificate(std::string(kMaxCertificateBytes + 1, 'x'));
  ASSERT_FALSE(certificate);
  EXPECT_EQ(certificate.error().code, Errc::kTooLarge);
}

}  // namespace
}  // namespace cairn::agent
