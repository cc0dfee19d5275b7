#include "base/bytes.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(Uuid, OfRandomBytesIsVersion4AndSurvivesItsBytes) {
  const std::string uuid = random_uuid();
  EXPECT_TRUE(is_uuid(uuid)) << uuid;
  EXPECT_EQ(uuid[14], '4');
  EXPECT_EQ(uuid_text(uuid_bytes(uuid)), uuid);
}

struct NotUuid {
  const char* name;
  const char* text;
};
class ForeignText : public testing::TestWithParam<NotUuid> {};
TEST_P(ForeignText, IsNoUuid) { EXPECT_FALSE(is_uuid(GetParam().text)); }
INSTANTIATE_TEST_SUITE_P(Uuid, ForeignText,
                         testing::Values(NotUuid{"empty", ""}, NotUuid{"path", "../../../../../../../../etc/passwd.."},
                                         NotUuid{"upper_case", "AAAAAAAA-AAAA-4AAA-AAAA-AAAAAAAAAAAA"},
                                         NotUuid{"short", "aaaaaaaa-aaaa-4aaa-aaaa-aaaaaaaaaaa"}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Base64, RoundTripsEveryPaddingLength) {
  for (const std::string bytes : {"", "a", "ab", "abc", "abcd"})
    EXPECT_EQ(from_base64(to_base64(bytes)).value(), bytes);
}

TEST(Base64, RefusesWhatIsNot) {
  EXPECT_FALSE(from_base64("abc"));
  EXPECT_FALSE(from_base64("ab!="));
}

TEST(Hex, RoundTripsAndNamesTheBadCharacter) {
  EXPECT_EQ(from_hex(to_hex(std::string("\x00\xff", 2))).value(), std::string("\x00\xff", 2));
  EXPECT_EQ(from_hex("0g").error().message, "no hexadecimal digit at character 1");
}

}  // namespace
}  // namespace cairn
