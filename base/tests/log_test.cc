#include "base/log.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

struct Foreign {
  const char* name;
  std::string_view text;
  const char* written;
};
class LogValue : public testing::TestWithParam<Foreign> {};
TEST_P(LogValue, CannotForgeALine) { EXPECT_EQ(quoted_if_needed(GetParam().text), GetParam().written); }
INSTANTIATE_TEST_SUITE_P(Texts, LogValue,
                         testing::Values(Foreign{"plain", "web-1", "web-1"}, Foreign{"empty", "", "\"\""},
                                         Foreign{"blank", "a b", "\"a b\""},
                                         Foreign{"newline", "a\nerror forged", "\"a\\nerror forged\""},
                                         Foreign{"quote", "a\"b", "\"a\\\"b\""},
                                         Foreign{"escape", "\x1b[2J", "\"\\x1b[2J\""},
                                         Foreign{"looks_like_a_field", "a=b", "\"a=b\""}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Log, WritesEventsWithFields) {
  testing::internal::CaptureStderr();
  const Log log("test", LogLevel::kInfo);
  log.info("session.start", kv("user", "a b"), kv("count", 3));
  log.debug("hidden.event");
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_NE(line.find("info test session.start user=\"a b\" count=3\n"), std::string::npos) << line;
  EXPECT_EQ(line.find("hidden"), std::string::npos) << line;
}

}  // namespace
}  // namespace cairn
