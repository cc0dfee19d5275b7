#include "base/options.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

struct Declared {
  std::string listen_address = "0.0.0.0:3080";
  std::chrono::seconds lease = std::chrono::seconds(10);
  uint64_t limit = 5;
  std::map<std::string, std::string> labels;
  Options options;
  Declared() {
    options.add("listen_address", &listen_address, "where to listen");
    options.add("lease", &lease, "how long");
    options.add("limit", &limit, 1, 10, "how many");
    options.add("labels", &labels, "labels");
  }
};

TEST(ConfigurationFile, SetsWhatItNames) {
  Declared declared;
  ASSERT_TRUE(
      declared.options.parse_yaml("listen_address: 1.2.3.4:5\nlease: 15m\nlabels: {env: prod, tier: web}\n", "x.yaml"));
  EXPECT_EQ(declared.listen_address, "1.2.3.4:5");
  EXPECT_EQ(declared.lease, std::chrono::minutes(15));
  EXPECT_EQ(declared.labels.at("tier"), "web");
}

TEST(ConfigurationFile, RefusesAnUnknownKeyWithItsLineAndNeighbour) {
  Declared declared;
  const Result<void> parsed = declared.options.parse_yaml("lease: 3s\n\nlisten_adress: x\n", "cairn.yaml");
  EXPECT_EQ(parsed.error().message, "cairn.yaml:3: unknown key \"listen_adress\"; did you mean \"listen_address\"?");
}

TEST(ConfigurationFile, RefusesAValueOutOfRangeWithItsLine) {
  Declared declared;
  EXPECT_EQ(declared.options.parse_yaml("limit: 11\n", "c.yaml").error().message,
            "c.yaml:1: limit: 11 is not within 1..10");
}

TEST(ConfigurationFile, RefusesAKeyThatIsSetTwice) {
  Declared declared;
  const Result<void> parsed = declared.options.parse_yaml("limit: 1\nlease: 3s\nlimit: 2\n", "c.yaml");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().message, "c.yaml:3: limit is set a second time");
}

TEST(ConfigurationFile, RefusesBrokenYamlWithItsLine) {
  Declared declared;
  EXPECT_TRUE(declared.options.parse_yaml("a: [\n", "c.yaml").error().message.starts_with("c.yaml:"));
}

TEST(CommandLine, WinsOverNothingAndRefusesUnknownFlags) {
  Declared declared;
  const char* good[] = {"prog", "--limit=7", "--listen-address", "h:1"};
  ASSERT_TRUE(declared.options.parse(4, good, "/nonexistent"));
  EXPECT_EQ(declared.limit, 7u);
  EXPECT_EQ(declared.listen_address, "h:1");
  const char* bad[] = {"prog", "--limits=7"};
  EXPECT_FALSE(declared.options.parse(2, bad, "/nonexistent"));
}

TEST(CommandLine, RefusesANamedFileThatIsMissing) {
  Declared declared;
  const char* words[] = {"prog", "--config", "/nonexistent/cairn.yaml"};
  EXPECT_NE(declared.options.parse(3, words, "/nonexistent").error().message.find("/nonexistent/cairn.yaml"),
            std::string::npos);
}

struct Span {
  const char* name;
  const char* text;
  int64_t seconds;
};
class Duration : public testing::TestWithParam<Span> {};
TEST_P(Duration, Parses) {
  const Result<std::chrono::seconds> parsed = parse_duration(GetParam().text);
  EXPECT_EQ(parsed ? parsed->count() : -1, GetParam().seconds);
}
INSTANTIATE_TEST_SUITE_P(Texts, Duration,
                         testing::Values(Span{"plain", "90", 90}, Span{"minutes", "15m", 900},
                                         Span{"days", "7d", 604800}, Span{"empty", "", -1}, Span{"unit_alone", "m", -1},
                                         Span{"negative", "-1s", -1}, Span{"absurd", "99999999999d", -1}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(DurationAsText, IsExactAndReadBack) {
  for (const int64_t seconds : {0, 1, 59, 60, 90, 3600, 5400, 86'400, 90 * 86'400, 86'401}) {
    const std::string text = format_duration(std::chrono::seconds(seconds));
    EXPECT_EQ(parse_duration(text)->count(), seconds) << text;
  }
  EXPECT_EQ(format_duration(std::chrono::hours(24 * 90)), "90d");
  EXPECT_EQ(format_duration(std::chrono::minutes(90)), "90m");
}

}  // namespace
}  // namespace cairn
