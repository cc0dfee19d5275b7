#include "base/ssh_wire.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace cairn {
namespace {

// RFC 4251 §5 gives these.
struct Number {
  const char* name;
  const char* big_endian_hex;
  const char* wire_hex;
};
class Mpint : public testing::TestWithParam<Number> {};

TEST_P(Mpint, IsWrittenAsTheRfcShows) {
  SshWriter writer;
  writer.put_mpint(*from_hex(GetParam().big_endian_hex));
  EXPECT_EQ(to_hex(writer.bytes()), GetParam().wire_hex);
}

TEST_P(Mpint, IsReadBackWithoutLeadingZeros) {
  const std::string wire = *from_hex(GetParam().wire_hex);
  SshReader reader(wire);
  std::string expected = *from_hex(GetParam().big_endian_hex);
  while (expected.starts_with('\0')) expected.erase(0, 1);
  EXPECT_EQ(reader.mpint().value(), expected);
  EXPECT_TRUE(reader.finish());
}

INSTANTIATE_TEST_SUITE_P(Rfc4251, Mpint,
                         testing::Values(Number{"zero", "00", "00000000"},
                                         Number{"plain", "09a378f9b2e332a7", "0000000809a378f9b2e332a7"},
                                         Number{"top_bit", "80", "000000020080"},
                                         Number{"padded", "000080", "000000020080"}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(SshReader, ReadsBackWhatTheWriterWrote) {
  SshWriter writer;
  writer.put_u8(200);
  writer.put_u32(0xdeadbeef);
  writer.put_u64(0x0123456789abcdef);
  writer.put_string("testing");
  writer.put_string("");
  SshReader reader(writer.bytes());
  EXPECT_EQ(reader.u8().value(), 200);
  EXPECT_EQ(reader.u32().value(), 0xdeadbeef);
  EXPECT_EQ(reader.u64().value(), 0x0123456789abcdef);
  EXPECT_EQ(reader.string().value(), "testing");
  EXPECT_EQ(reader.string().value(), "");
  EXPECT_TRUE(reader.empty());
}

struct Refused {
  const char* name;
  const char* wire_hex;
  const char* message;
};
class ForeignNumber : public testing::TestWithParam<Refused> {};

TEST_P(ForeignNumber, IsRefusedAndLeavesTheReaderInPlace) {
  const std::string wire = *from_hex(GetParam().wire_hex);
  SshReader reader(wire);
  EXPECT_EQ(reader.mpint().error().message, GetParam().message);
  EXPECT_EQ(reader.offset(), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Mpint, ForeignNumber,
    testing::Values(Refused{"cut_length", "0000", "a uint32 of 4 bytes at offset 0, but only 2 follow"},
                    Refused{"cut_body", "00000005aabb", "a string of 5 bytes at offset 4, but only 2 follow"},
                    Refused{"huge_length", "ffffffff00", "a string of 4294967295 bytes at offset 4, but only 1 follow"},
                    Refused{"negative", "00000002edcc", "a negative number at offset 0"},
                    Refused{"leading_zero", "000000020012", "a number with leading zeros at offset 0"},
                    Refused{"long_zero", "0000000100", "a number with leading zeros at offset 0"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(SshReader, NamesBytesThatAreLeftOver) {
  SshReader reader("abc");
  ASSERT_TRUE(reader.u8());
  EXPECT_EQ(reader.finish().error().message, "2 bytes too many at offset 1");
}

// Made by ssh-keygen -t ed25519; the fingerprint is what ssh-keygen -l says of it.
constexpr const char* kLine =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK192QftmRppcnUV6xeJbwcDikX8q5/xPAqxoaV1BLOy someone@somewhere else";
constexpr const char* kFingerprint = "SHA256:/Q1FoMfOV2LAWBc3QjSCjI1X1BVOyq3gSl6U64X8GZU";

TEST(SshPublicKeyLine, SurvivesItsBlob) {
  const Result<SshPublicKey> key = parse_ssh_public_key(std::string(kLine) + "\n");
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(key->type, "ssh-ed25519");
  EXPECT_EQ(key->comment, "someone@somewhere else");
  EXPECT_EQ(ssh_public_key_line(*key), kLine);
  EXPECT_EQ(ssh_public_key_from_blob(key->blob)->type, "ssh-ed25519");
}

TEST(SshPublicKeyLine, HasTheFingerprintThatSshKeygenShows) {
  EXPECT_EQ(ssh_fingerprint(parse_ssh_public_key(kLine)->blob), kFingerprint);
}

struct BadLine {
  const char* name;
  const char* line;
  const char* message;
};
class ForeignLine : public testing::TestWithParam<BadLine> {};

TEST_P(ForeignLine, IsRefusedWithTheReason) {
  EXPECT_EQ(parse_ssh_public_key(GetParam().line).error().message, GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    SshPublicKey, ForeignLine,
    testing::Values(BadLine{"empty", "", "SSH key: not of the form \"TYPE BASE64 COMMENT\""},
                    BadLine{"type_alone", "ssh-ed25519", "SSH key: not of the form \"TYPE BASE64 COMMENT\""},
                    BadLine{"two_lines", "ssh-rsa AAAA\nssh-rsa AAAA", "SSH key: more than one line"},
                    BadLine{"other_type_inside", "ssh-rsa AAAAC3NzaC1lZDI1NTE5",
                            "SSH key: the line says ssh-rsa and the key inside says ssh-ed25519"},
                    BadLine{"no_type_inside", "ssh-rsa AAAAAA==", "SSH key: it names no key type"},
                    BadLine{"cut_blob",
                            "ssh-rsa AAAACw==", "SSH key: type: a string of 11 bytes at offset 4, but only 0 follow"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(SshPublicKey, OfImpossibleLengthIsRefused) {
  EXPECT_EQ(parse_ssh_public_key(std::string(kMaxSshKeyLineBytes + 1, 'a')).error().code, Errc::kTooLarge);
}

}  // namespace
}  // namespace cairn
