#include <gtest/gtest.h>

#include "cli/verbs/node_name.h"
#include "cli/verbs/open_recording.h"
#include "cli/verbs/time_point.h"

namespace cairn::cli {
namespace {

constexpr int64_t kNow = 1'800'000'000;

TEST(TimePoint, IsADurationAgoOrAMoment) {
  EXPECT_EQ(parse_time_point("1h", kNow).value(), kNow - 3600);
  EXPECT_EQ(parse_time_point("1970-01-02", kNow).value(), 86400);
  EXPECT_EQ(parse_time_point("1970-01-01T00:01:00Z", kNow).value(), 60);
  EXPECT_EQ(parse_time_point("1970-01-01T02:00:00+01:00", kNow).value(), 3600);
}

TEST(TimePoint, RefusesAnythingElseWithExamples) {
  for (const char* text : {"", "yesterday", "1970-01-01T00:01:00Zjunk", "1970-13-01", "-1h"}) {
    const Result<int64_t> parsed = parse_time_point(text, kNow);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(
        parsed.error().message,
        std::string("\"") + text + "\" is no time; write for example 90m, 7d, 2026-11-20 or 2026-11-20T22:25:06Z");
  }
}

TEST(NodeName, LosesTheClustersSuffixAlone) {
  EXPECT_EQ(node_name_of("web-1.home", "home"), "web-1");
  EXPECT_EQ(node_name_of("web-1", "home"), "web-1");
  EXPECT_EQ(node_name_of("web-1.example.org", "home"), "web-1.example.org");
  EXPECT_EQ(node_name_of(".home", "home"), ".home");
}

TEST(RecordingName, IsAFileWhenItLooksLikeOne) {
  EXPECT_TRUE(names_a_file("./7c1e"));
  EXPECT_TRUE(names_a_file("copy.rec"));
  EXPECT_FALSE(names_a_file("7c1e"));
  EXPECT_FALSE(names_a_file("7c1e9d2a-0000-4000-8000-000000000000"));
}

TEST(Positions, AreTimesSinceTheBeginning) {
  EXPECT_EQ(parse_position("").value(), 0u);
  EXPECT_EQ(parse_position("90").value(), 90'000'000'000u);
  EXPECT_EQ(parse_position("1:30").value(), 90'000'000'000u);
  EXPECT_EQ(parse_position("1:02:03.25").value(), 3'723'250'000'000u);
  EXPECT_EQ(parse_position("5m").value(), 300'000'000'000u);
  EXPECT_EQ(parse_position("0.1234567891234").value(), 123'456'789u);
  EXPECT_TRUE(parse_position("99999999999999999999:99999999999999999999"));
  for (const char* wrong : {"yesterday", "1.2.3", "1.2:3", "-5"}) EXPECT_FALSE(parse_position(wrong)) << wrong;
}

}  // namespace
}  // namespace cairn::cli
