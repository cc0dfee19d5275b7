// Keys wrapped for holders of certificates: with openssl(1) in both directions, and what is refused.
#include "recorder/cms/cms.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "recorder/cms/cms_shape.h"
#include "recorder/cms/der.h"
#include "recorder/recipients.h"
#include "recorder/tests/test_recording.h"

namespace cairn::recorder {
namespace {

constexpr size_t kPlenty = 1 << 20;
const std::string kText = "32 bytes that nobody else may see";

class CmsFolder : public testing::Test {
 protected:
  CmsFolder() {
    std::string name = testing::TempDir() + "cairn-cms-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~CmsFolder() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, std::string_view bytes) const {
    std::ofstream(folder_ / name, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  std::string read(const std::string& name) const { return read_file(folder_ / name, kPlenty).value(); }
  int run(const std::string& command) const {
    return std::system(("cd " + folder_.string() + " && " + command + " >output 2>error").c_str());
  }
  // NAME.key, NAME.pem (certificate), NAME.pub, made by openssl.
  void make_key(const std::string& name, const std::string& algorithm) const {
    ASSERT_EQ(run("openssl genpkey " + algorithm + " -out " + name + ".key"), 0) << read("error");
    ASSERT_EQ(run("openssl req -x509 -new -key " + name + ".key -subj /CN=" + name + " -days 1 -out " + name + ".pem"),
              0)
        << read("error");
    ASSERT_EQ(run("openssl pkey -in " + name + ".key -pubout -out " + name + ".pub"), 0) << read("error");
  }
  CmsIdentity identity(const std::string& name) const {
    return std::move(CmsIdentity::parse_all(read(name + ".key")).value().front());
  }

  std::filesystem::path folder_;
};

struct Kind {
  const char* name;
  const char* algorithm;
  const char* openssl_encrypts;  // what makes openssl-cms(1) wrap as we do
};

class CmsKind : public CmsFolder, public testing::WithParamInterface<Kind> {
 protected:
  void SetUp() override { make_key("auditor", GetParam().algorithm); }
};
INSTANTIATE_TEST_SUITE_P(
    Keys, CmsKind,
    testing::Values(Kind{.name = "p256",
                         .algorithm = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
                         .openssl_encrypts = "-keyopt ecdh_kdf_md:sha256"},
                    Kind{.name = "rsa2048",
                         .algorithm = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
                         .openssl_encrypts = "-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256"},
                    Kind{.name = "rsa4096",
                         .algorithm = "-algorithm RSA -pkeyopt rsa_keygen_bits:4096",
                         .openssl_encrypts = "-keyopt rsa_padding_mode:oaep"}),
    [](const auto& kind) { return kind.param.name; });

TEST_P(CmsKind, IsDecryptedByOpenssl) {
  const CmsRecipient recipient = CmsRecipient::from_pem(read("auditor.pem")).value();
  EXPECT_EQ(recipient, CmsRecipient::from_pem(read("auditor.pub")).value()) << "certificate and key are one recipient";
  EXPECT_EQ(recipient, CmsRecipient::parse(recipient.text()).value());
  EXPECT_EQ(recipient, identity("auditor").recipient());
  const std::vector<CmsRecipient> recipients = {CmsIdentity::generate().recipient(), recipient};
  // What follows does not hinder openssl.
  write("sealed", cms_seal(kText, recipients) + "an age file");
  ASSERT_EQ(run("openssl cms -decrypt -inform DER -in sealed -inkey auditor.key -out plain"), 0) << read("error");
  EXPECT_EQ(read("plain"), kText);
  ASSERT_EQ(run("openssl cms -decrypt -inform DER -in sealed -inkey auditor.key -recip auditor.pem -out plain"), 0)
      << read("error");
  EXPECT_EQ(read("plain"), kText);
  ASSERT_EQ(run("openssl cms -cmsout -print -inform DER -in sealed"), 0) << read("error");
  for (const char* part : {"id-smime-ct-authEnvelopedData", "aes-256-gcm"})
    EXPECT_NE(read("output").find(part), std::string::npos) << part;
}

TEST_P(CmsKind, IsReadAsOpensslMakesIt) {
  write("plain", kText);
  ASSERT_EQ(
      run(std::string(
              "openssl cms -encrypt -binary -aes-256-gcm -outform DER -in plain -out sealed -recip auditor.pem ") +
          GetParam().openssl_encrypts),
      0)
      << read("error");
  const Result<Secret> opened = cms_open(read("sealed"), identity("auditor"));
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->view(), kText);
}

TEST_P(CmsKind, IsReadByItsRecipientsAlone) {
  make_key("other", GetParam().algorithm);
  const std::vector<CmsRecipient> recipients = {CmsRecipient::from_pem(read("other.pem")).value(),
                                                CmsRecipient::from_pem(read("auditor.pem")).value()};
  const std::string sealed = cms_seal(kText, recipients);
  EXPECT_EQ(cms_size(sealed).value(), sealed.size());
  for (const char* name : {"other", "auditor"}) EXPECT_EQ(cms_open(sealed, identity(name))->view(), kText);
  make_key("stranger", GetParam().algorithm);
  EXPECT_EQ(code_of(cms_open(sealed, identity("stranger"))), Errc::kDenied);
  EXPECT_EQ(code_of(cms_open(sealed, CmsIdentity::generate())), Errc::kDenied);
}

TEST_F(CmsFolder, TheSecretItselfLiesNowhere) {
  const std::vector<CmsRecipient> recipients = {CmsIdentity::generate().recipient()};
  EXPECT_EQ(cms_seal(kText, recipients).find(kText), std::string::npos);
}

TEST_F(CmsFolder, ShowsEveryFlippedBit) {
  const CmsIdentity reader = CmsIdentity::generate();
  const std::vector<CmsRecipient> recipients = {reader.recipient()};
  const std::string good = cms_seal(kText, recipients);
  ASSERT_EQ(cms_open(good, reader)->view(), kText);
  size_t read_all_the_same = 0;
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    const Result<Secret> opened = cms_open(bad, reader);
    if (!opened) continue;
    // The recipient's name and how OpenSSL spells the originator's key are nobody's proof; the secret is.
    ASSERT_EQ(opened->view(), kText) << bit;
    ++read_all_the_same;
  }
  EXPECT_LT(read_all_the_same, good.size()) << "one bit in eight";
  for (size_t cut = 0; cut < good.size(); ++cut) EXPECT_FALSE(cms_open(good.substr(0, cut), reader)) << cut;
  EXPECT_EQ(code_of(cms_open(good + "x", reader)), Errc::kCorrupt);
}

struct Foreign {
  const char* name;
  const char* encrypt;
};

class ForeignCms : public CmsFolder, public testing::WithParamInterface<Foreign> {};
INSTANTIATE_TEST_SUITE_P(
    Shapes, ForeignCms,
    testing::Values(Foreign{.name = "without_authentication", .encrypt = "-aes-256-cbc -recip rsa.pem"},
                    Foreign{.name = "another_cipher", .encrypt = "-aes-128-gcm -recip rsa.pem"},
                    Foreign{.name = "a_shared_key",
                            .encrypt = "-aes-256-gcm -secretkey 000102030405060708090a0b0c0d0e0f -secretkeyid 01 "
                                       "-recip rsa.pem"},
                    Foreign{.name = "old_padding", .encrypt = "-aes-256-gcm -recip rsa.pem"},
                    Foreign{.name = "indefinite_lengths",
                            .encrypt = "-stream -aes-256-gcm -recip rsa.pem -keyopt rsa_padding_mode:oaep"}),
    [](const auto& foreign) { return foreign.param.name; });

TEST_P(ForeignCms, IsRefused) {
  make_key("rsa", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048");
  write("plain", kText);
  ASSERT_EQ(run(std::string("openssl cms -encrypt -binary -outform DER -in plain -out sealed ") + GetParam().encrypt),
            0)
      << read("error");
  ASSERT_EQ(run("openssl cms -decrypt -inform DER -in sealed -inkey rsa.key -recip rsa.pem"), 0) << "openssl reads it";
  EXPECT_FALSE(cms_open(read("sealed"), identity("rsa")));
}

TEST_F(CmsFolder, RefusesKeysThatProtectTooLittle) {
  const std::vector<std::pair<std::string, std::string>> keys = {
      {"small", "-algorithm RSA -pkeyopt rsa_keygen_bits:1024"},
      {"p384", "-algorithm EC -pkeyopt ec_paramgen_curve:P-384"},
      {"ed25519", "-algorithm ED25519"}};
  for (const auto& [name, algorithm] : keys) {
    make_key(name, algorithm);
    EXPECT_EQ(code_of(CmsRecipient::from_pem(read(name + ".pem"))), Errc::kInvalid) << name;
    EXPECT_EQ(code_of(CmsRecipient::from_pem(read(name + ".pub"))), Errc::kInvalid) << name;
    EXPECT_EQ(code_of(CmsIdentity::parse_all(read(name + ".key"))), Errc::kInvalid) << name;
  }
  for (const char* text : {"", "cms:", "cms:AAAA", "age1", "nonsense"}) EXPECT_FALSE(CmsRecipient::parse(text)) << text;
}

TEST_F(CmsFolder, NeverAsksForAPassphrase) {
  ASSERT_EQ(run("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -pass pass:x -out locked.key"),
            0);
  const auto identities = CmsIdentity::parse_all(read("locked.key"));
  ASSERT_FALSE(identities);
  EXPECT_NE(identities.error().message.find("passphrase"), std::string::npos);
}

TEST(Recipients, OfBothKindsReadOneSecret) {
  const Identity age = AgeIdentity::generate();
  const Identity cms = CmsIdentity::generate();
  const Identity stranger = CmsIdentity::generate();
  for (const std::vector<Recipient>& recipients :
       {std::vector<Recipient>{recipient_of(age)}, {recipient_of(cms)}, {recipient_of(cms), recipient_of(age)}}) {
    const std::string sealed = seal_secret(kText, recipients);
    for (const Identity* identity : {&age, &cms}) {
      const bool is_theirs = std::ranges::find(recipients, recipient_of(*identity)) != recipients.end();
      const Result<Secret> opened = open_sealed(sealed, {identity, 1});
      ASSERT_EQ(opened.has_value(), is_theirs);
      if (is_theirs) EXPECT_EQ(opened->view(), kText);
      if (!is_theirs) EXPECT_EQ(code_of(opened), Errc::kDenied);
    }
    EXPECT_EQ(code_of(open_sealed(sealed, {&stranger, 1})), Errc::kDenied);
    EXPECT_FALSE(open_sealed(sealed + "x", {&age, 1}));
  }
  EXPECT_EQ(code_of(open_sealed("", {&age, 1})), Errc::kCorrupt);
  EXPECT_EQ(parse_recipient(recipient_text(recipient_of(cms))).value(), recipient_of(cms));
  EXPECT_EQ(parse_recipient(recipient_text(recipient_of(age))).value(), recipient_of(age));
}

TEST(Recipients, OfOneFileAreReadWhicheverKindTheyAre) {
  const CmsIdentity cms = CmsIdentity::generate();
  const auto pem = parse_identities(std::string("a comment\n") + std::string(cms.pem().view()));
  ASSERT_TRUE(pem) << pem.error().message;
  EXPECT_EQ(recipient_of(pem->at(0)), Recipient(cms.recipient()));
  const AgeIdentity age = AgeIdentity::generate();
  EXPECT_EQ(recipient_of(parse_identities(age.text().view())->at(0)), Recipient(age.recipient()));
  EXPECT_FALSE(parse_identities("-----BEGIN CERTIFICATE-----\n"));
  EXPECT_FALSE(parse_identities(""));
}

struct Der {
  const char* name;
  std::string bytes;
};
class BadDer : public testing::TestWithParam<Der> {};
INSTANTIATE_TEST_SUITE_P(Lengths, BadDer,
                         testing::Values(Der{"empty", ""}, Der{"no_length", "\x30"}, Der{"beyond_the_end", "\x30\x02x"},
                                         Der{"indefinite", std::string("\x30\x80x\0\0", 5)},
                                         Der{"long_form_of_a_short_one", "\x30\x81\x01x"},
                                         Der{"leading_zero", std::string("\x30\x82\0\x81", 4) + std::string(129, 'x')},
                                         Der{"huge", "\x30\x84\xff\xff\xff\xff"},
                                         Der{"too_huge_to_count", "\x30\x85\x01\x01\x01\x01\x01"},
                                         Der{"another_tag", "\x31\x01x"}),
                         [](const auto& der) { return der.param.name; });

TEST_P(BadDer, IsRefused) { EXPECT_EQ(code_of(DerReader(GetParam().bytes).take(kDerSequence)), Errc::kCorrupt); }

}  // namespace
}  // namespace cairn::recorder
