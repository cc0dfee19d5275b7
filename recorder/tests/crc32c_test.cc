#include "recorder/crc32c.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace cairn::recorder {
namespace {

struct Vector {
  const char* name;
  std::string bytes;
  uint32_t crc;
};

std::string counting(int from, int step) {
  std::string bytes;
  for (int i = 0; i < 32; ++i) bytes += static_cast<char>(from + i * step);
  return bytes;
}

class Rfc3720 : public testing::TestWithParam<Vector> {};

TEST_P(Rfc3720, GivesTheChecksumOfAppendixB4) {
  EXPECT_EQ(crc32c(GetParam().bytes), GetParam().crc);
  EXPECT_EQ(crc32c_portable(GetParam().bytes), GetParam().crc);
}

INSTANTIATE_TEST_SUITE_P(Vectors, Rfc3720,
                         testing::Values(Vector{"zeros", std::string(32, '\0'), 0x8a9136aa},
                                         Vector{"ones", std::string(32, '\xff'), 0x62a8ab43},
                                         Vector{"incrementing", counting(0, 1), 0x46dd794e},
                                         Vector{"decrementing", counting(31, -1), 0x113fdb5c},
                                         Vector{"digits", "123456789", 0xe3069283}, Vector{"nothing", "", 0}),
                         [](const auto& vector) { return std::string(vector.param.name); });

TEST(Crc32c, IsTheSameByTableAndByInstructionHoweverItIsCut) {
  std::mt19937 random(7);
  std::string bytes(1000, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  for (size_t length = 0; length < 64; ++length) {
    const std::string_view part = std::string_view(bytes).substr(length, length * 3);
    EXPECT_EQ(crc32c(part), crc32c_portable(part)) << "length " << part.size();
  }
  const std::string_view whole = bytes;
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    ASSERT_EQ(crc32c(whole.substr(cut), crc32c(whole.substr(0, cut))), crc32c(whole)) << "cut at " << cut;
  }
}

}  // namespace
}  // namespace cairn::recorder
