#include "agent/supervisor/agent_options.h"

#include <gmock/gmock.h>

#include "agent/tests/supervisor/temporary_folder.h"
#include "base/file.h"

namespace cairn::agent {
namespace {

using testing::HasSubstr;

Result<void> read(AgentOptions& options, std::vector<const char*> flags) {
  flags.insert(flags.begin(), "cairn-agent");
  Options table;
  options.declare(table);
  const Result<void> parsed = table.parse(static_cast<int>(flags.size()), flags.data(), "/nonexistent/agent.yaml");
  if (!parsed) return fail(parsed);
  return options.check();
}

TEST(AgentOptions, TakeTheUsualPortAndTheHostsNameUnlessToldOtherwise) {
  AgentOptions options;
  options.name = "web-1";
  const Result<void> checked = read(options, {"--proxy-address", "proxy.example.com"});
  ASSERT_TRUE(checked) << checked.error().message;
  ASSERT_EQ(options.proxies.size(), 1u);
  EXPECT_EQ(options.proxies.front().host, "proxy.example.com");
  EXPECT_EQ(options.proxies.front().port, kDefaultProxyPort);
  EXPECT_EQ(options.data_dir, "/var/lib/cairn-agent");
  EXPECT_TRUE(options.require_capture);
}

TEST(AgentOptions, TakeSeveralProxies) {
  AgentOptions options;
  ASSERT_TRUE(read(options, {"--proxy-address=a.example.com,b.example.com:443,[::1]:25", "--name=n"}));
  ASSERT_EQ(options.proxies.size(), 3u);
  EXPECT_EQ(tunnel::address_text(options.proxies[0]), "a.example.com:3080");
  EXPECT_EQ(tunnel::address_text(options.proxies[1]), "b.example.com:443");
  EXPECT_EQ(tunnel::address_text(options.proxies[2]), "[::1]:25");
  AgentOptions others;
  EXPECT_FALSE(read(others, {"--proxy-address=a.example.com,", "--name=n"}));
}

TEST(AgentOptions, SayWhichProxyIsMissing) {
  AgentOptions options;
  const Result<void> checked = read(options, {"--name", "web-1"});
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message, HasSubstr("proxy_address is not set"));
}

TEST(AgentOptions, RefusePolicyWordsThatTheyDoNotKnow) {
  AgentOptions options;
  EXPECT_TRUE(read(options, {"--proxy-address=p", "--name=n", "--recording-policy=lossless", "--events=full"}));
  const Result<void> policy = read(options, {"--proxy-address=p", "--name=n", "--recording-policy=strict"});
  ASSERT_FALSE(policy);
  EXPECT_THAT(policy.error().message, HasSubstr("it must be accounted, aggregate or lossless"));
  AgentOptions others;
  EXPECT_FALSE(read(others, {"--proxy-address=p", "--name=n", "--events=some"}));
}

TEST(AgentOptions, MakeRelativeFoldersAbsoluteForWorkersThatStandElsewhere) {
  AgentOptions options;
  ASSERT_TRUE(read(options, {"--proxy-address=p", "--name=n", "--data-dir=state", "--bpf-dir=pins"}));
  EXPECT_TRUE(options.data_dir.is_absolute());
  EXPECT_TRUE(options.bpf_dir.is_absolute());
}

TEST(AgentOptions, NameTheLineOfAnUnknownKeyAndItsNeighbour) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "agent.yaml";
  ASSERT_TRUE(write_file_atomically(file, "name: web-2\nproxy_adress: x\n", 0600));
  AgentOptions options;
  const std::string path = file.string();
  const Result<void> checked = read(options, {"--config", path.c_str()});
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message, HasSubstr("agent.yaml:2: unknown key \"proxy_adress\""));
  EXPECT_THAT(checked.error().message, HasSubstr("proxy_address"));
}

struct BadName {
  const char* what;
  const char* name;
};
class NodeNameThatIsNone : public testing::TestWithParam<BadName> {};

TEST_P(NodeNameThatIsNone, IsRefused) {
  AgentOptions options;
  const Result<void> checked = read(options, {"--proxy-address=p", "--name", GetParam().name});
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message, HasSubstr("is no node name"));
}
INSTANTIATE_TEST_SUITE_P(
    Names, NodeNameThatIsNone,
    testing::Values(BadName{"empty", ""}, BadName{"upper_case", "Web-1"}, BadName{"leading_dash", "-web"},
                    BadName{"blank", "web 1"}, BadName{"slash", "web/1"},
                    BadName{"too_long", "a234567890123456789012345678901234567890123456789012345678901234"}),
    [](const auto& name) { return std::string(name.param.what); });

}  // namespace
}  // namespace cairn::agent
