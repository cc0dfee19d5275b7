#include <chrono>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/home/home.h"
#include "cli/tests/run_program.h"
#include "cli/tests/test_recording.h"
#include "tests/support/test_ca.h"

namespace cairn::cli {
namespace {

using cairn::testing_support::TestCa;
using cairn::testing_support::Validity;
using testing::HasSubstr;
using testing::StartsWith;
using testing_support::make_recording;
using testing_support::Ran;
using testing_support::run_program;
using testing_support::TemporaryFolder;

// The program as a person runs it, without any server.
class Program : public testing::Test {
 protected:
  Ran cairn(std::vector<std::string> words, const std::string& input = "") {
    words.insert(words.begin(), CAIRN_BINARY);
    return run_program(words, {"CAIRN_HOME=" + home_.root().string()}, input);
  }
  void log_in(Validity validity, const std::string& proxy = "127.0.0.1:1") {
    ASSERT_TRUE(home_.create());
    ASSERT_TRUE(tunnel::store_identity(home_.root(), *TestCa().user("alice", validity)));
    ASSERT_TRUE(home_.store_profile({.proxy = proxy, .cluster = "testing", .user = "alice", .ca_pin = "sha256:00"}));
  }
  std::string write_recording(const std::string& bytes) {
    const std::string file = folder_.path() / "session.rec";
    std::ofstream(file, std::ios::binary) << bytes;
    return file;
  }
  TemporaryFolder folder_;
  Home home_{folder_.path() / "home"};
};

// ---- the command line

TEST_F(Program, HintsAtTheNearestVerb) {
  const Ran ran = cairn({"logni"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_EQ(ran.err, "cairn: unknown verb \"logni\"; did you mean \"cairn login\"?\n");
  EXPECT_EQ(cairn({"tokens", "ad"}).err, "cairn: unknown verb \"ad\"; did you mean \"cairn tokens add\"?\n");
}

TEST_F(Program, HintsAtTheNearestOption) {
  const Ran ran = cairn({"ls", "--fromat=json"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_EQ(ran.err, "cairn: ls: unexpected \"--fromat=json\"; did you mean --format?; see cairn ls --help\n");
}

TEST_F(Program, ListsTheVerbsOfANoun) {
  const Ran ran = cairn({"tokens"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_EQ(ran.err, "cairn: tokens: which verb? add, ls, rm; --help says more\n");
}

TEST_F(Program, ExplainsEveryVerbWithAnExample) {
  const std::vector<std::vector<std::string>> verbs{{"login"},
                                                    {"logout"},
                                                    {"status"},
                                                    {"ls"},
                                                    {"nodes", "ls"},
                                                    {"nodes", "rm"},
                                                    {"ssh"},
                                                    {"config"},
                                                    {"proxy", "ssh"},
                                                    {"known-hosts"},
                                                    {"play"},
                                                    {"sessions", "ls"},
                                                    {"version"},
                                                    {"recordings", "ls"},
                                                    {"recordings", "verify"},
                                                    {"recordings", "hold"},
                                                    {"recordings", "release"},
                                                    {"recordings", "rm"},
                                                    {"retention", "add"},
                                                    {"retention", "ls"},
                                                    {"retention", "rm"},
                                                    {"retention", "reapply"},
                                                    {"keys", "rotate"},
                                                    {"keys", "rewrap"},
                                                    {"keys", "drop"},
                                                    {"users", "ls"},
                                                    {"audit", "search"},
                                                    {"tokens", "ls"},
                                                    {"tokens", "add"},
                                                    {"tokens", "rm"},
                                                    {"users", "rm"},
                                                    {"users", "passwd"},
                                                    {"users", "add"},
                                                    {"roles", "add"},
                                                    {"roles", "ls"},
                                                    {"roles", "rm"}};
  for (std::vector<std::string> verb : verbs) {
    const std::string example = "Example:\n  cairn " + (verb.size() == 1 ? verb[0] : verb[0] + " " + verb[1]);
    verb.emplace_back("--help");
    const Ran ran = cairn(verb);
    EXPECT_EQ(ran.exit_code, 0);
    if (verb[0] != "proxy") EXPECT_THAT(ran.out, HasSubstr(example));
    EXPECT_THAT(ran.out, HasSubstr("Example:\n"));
  }
}

TEST_F(Program, DocumentsItsExitCodes) {
  EXPECT_THAT(cairn({"--help"}).out, HasSubstr("4  denied: not logged in, expired, or not allowed"));
}

TEST_F(Program, SaysItsVersionAsAVerbAndAsAFlag) {
  const Ran flag = cairn({"--version"});
  EXPECT_EQ(flag.exit_code, 0);
  EXPECT_THAT(flag.out, testing::StartsWith("cairn "));
  EXPECT_EQ(flag.out, cairn({"version"}).out);
}

TEST_F(Program, TakesGlobalOptionsAfterTheVerbToo) {
  const Ran ran = cairn({"nodes", "ls", "--auth-socket", "/nonexistent/auth.sock"});
  EXPECT_EQ(ran.exit_code, 6);
  EXPECT_THAT(ran.err, HasSubstr("/nonexistent/auth.sock"));
}

// ---- who is logged in

TEST_F(Program, SaysHowToLogIn) {
  for (const std::vector<std::string>& verb : std::vector<std::vector<std::string>>{
           {"ls"}, {"status"}, {"proxy", "ssh", "web-1"}, {"ssh", "web-1"}, {"config"}, {"known-hosts", "web-1"}}) {
    const Ran ran = cairn(verb);
    EXPECT_EQ(ran.exit_code, 4) << verb[0];
    EXPECT_EQ(ran.err, "cairn: not logged in; run: cairn login --proxy HOST:PORT --user NAME\n");
    EXPECT_EQ(ran.out, "");
  }
}

TEST_F(Program, SaysSinceWhenTheCertificateIsExpired) {
  log_in({.from_s = -8 * 3600, .until_s = -3 * 3600 - 60});
  for (const std::vector<std::string>& verb :
       std::vector<std::vector<std::string>>{{"ls"}, {"status"}, {"proxy", "ssh", "web-1"}, {"ssh", "web-1"}}) {
    const Ran ran = cairn(verb);
    EXPECT_EQ(ran.exit_code, 4);
    EXPECT_EQ(ran.err, "cairn: your certificate expired 3 h ago; run: cairn login\n");
  }
}

TEST_F(Program, RefusesACertificateFromTheFuture) {
  log_in({.from_s = 3600, .until_s = 7200});
  const Ran ran = cairn({"ls"});
  EXPECT_EQ(ran.exit_code, 4);
  EXPECT_THAT(ran.err, HasSubstr("this host's clock says"));
}

TEST_F(Program, ShowsTheProfileAlthoughAuthIsDown) {
  log_in({});
  const Ran ran = cairn({"status", "--format=json"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  const auto status = nlohmann::json::parse(ran.out);
  EXPECT_EQ(status["user"], "alice");
  EXPECT_EQ(status["cluster"], "testing");
  EXPECT_EQ(status["proxy"], "127.0.0.1:1");
  EXPECT_GT(status["expires_wall_s"], 0);
  EXPECT_THAT(ran.err, StartsWith("cairn: auth cannot be asked now: "));
}

TEST_F(Program, SaysThatAuthCannotBeReached) {
  log_in({});
  const Ran ran = cairn({"ls"});
  EXPECT_EQ(ran.exit_code, 6) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("127.0.0.1:1"));
}

TEST_F(Program, LogsOutAndKeepsTheProfile) {
  log_in({});
  EXPECT_EQ(cairn({"logout"}).exit_code, 0);
  EXPECT_EQ(cairn({"ls"}).exit_code, 4);
  EXPECT_FALSE(home_.load_profile().value().proxy.empty());
  EXPECT_EQ(cairn({"logout"}).out, "Nobody was logged in\n");
}

TEST_F(Program, RefusesAFirstLoginWithoutPin) {
  const Ran ran = cairn({"login", "--proxy=127.0.0.1:1", "--user=alice", "--password-stdin"}, "secret\n");
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, StartsWith("cairn: the first login needs --ca-pin sha256:"));
  EXPECT_THAT(ran.err, HasSubstr("\"cairn status\" as root on the auth host shows it"));
}

TEST_F(Program, WarnsOfALoginThatTrustsAnyone) {
  const Ran ran =
      cairn({"login", "--proxy=127.0.0.1:1", "--user=alice", "--insecure-no-ca-pin", "--password-stdin"}, "secret\n");
  EXPECT_EQ(ran.exit_code, 6);
  EXPECT_THAT(ran.err, StartsWith("cairn: WARNING: --insecure-no-ca-pin: nothing proves that this is your cluster"));
}

TEST_F(Program, WantsAPassword) {
  const std::string pin = "--ca-pin=sha256:" + std::string(64, '0');
  const Ran ran = cairn({"login", "--proxy=127.0.0.1:1", "--user=alice", pin, "--password-stdin"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_EQ(ran.err, "cairn: no password came from standard input\n");
}

TEST_F(Program, PrintsAConfigurationForTheCluster) {
  log_in({});
  const Ran ran = cairn({"config"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, StartsWith("Host *.testing\n    ProxyCommand \"" CAIRN_BINARY "\" --home \"" +
                                  home_.root().string() + "\" proxy ssh %h\n"));
}

TEST_F(Program, HandsSshItsWordsUntouched) {
  log_in({});
  const Ran ran = cairn({"ssh", "-G", "-p", "2222", "deploy@web-1", "ls", "--format=json"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("\nport 2222\n"));
  EXPECT_THAT(ran.out, HasSubstr("user deploy\n"));
  EXPECT_THAT(ran.out, HasSubstr("proxy ssh %h\n"));
}

// ---- recordings in files

TEST_F(Program, PlaysAFile) {
  const Ran ran = cairn({"play", write_recording(make_recording().whole())});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("the beginning\r\nthe end\r\n  exit  pid 7 status 0\n"));
  EXPECT_EQ(ran.err, "");
}

TEST_F(Program, PlaysTheTerminalAlone) {
  const Ran ran = cairn({"play", write_recording(make_recording().whole()), "--events=none"});
  EXPECT_EQ(ran.out, "the beginning\r\nthe end\r\n");
}

TEST_F(Program, PrintsEventsAsJsonLines) {
  const Ran ran = cairn({"play", write_recording(make_recording().whole()), "--format=json", "--events=only"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  std::istringstream lines(ran.out);
  std::vector<nlohmann::json> events;
  for (std::string line; std::getline(lines, line);) events.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0]["begin"]["user"], "alice");
  EXPECT_EQ(events[1]["kernel_seq"], 1);
  EXPECT_EQ(events[1]["process_exit"]["process"]["pid"], 7);
  EXPECT_EQ(events[2]["end"]["reason"], "END_REASON_COMPLETE");
}

TEST_F(Program, PlaysACutFileUpToTheCut) {
  const std::string whole = make_recording().whole();
  const std::string file = write_recording(whole.substr(0, whole.size() - 10));
  for (const char* format : {"--format=table", "--format=json"}) {
    const Ran ran = cairn({"play", file, format});
    EXPECT_EQ(ran.exit_code, 3);
    EXPECT_THAT(ran.out, HasSubstr("the beginning"));
    EXPECT_THAT(ran.err, HasSubstr("is cut off: recording ends after 3 whole chunks (offset "));
  }
}

TEST_F(Program, VerifiesAFile) {
  const std::string file = write_recording(make_recording().whole());
  const Ran ran = cairn({"recordings", "verify", file, "--format=json"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err << ran.out;
  const auto verdict = nlohmann::json::parse(ran.out);
  EXPECT_EQ(verdict["complete"], true);
  EXPECT_EQ(verdict["sequence_complete"], true);
  EXPECT_EQ(verdict["kernel_issued"], 1);
  EXPECT_THAT(cairn({"recordings", "verify", file}).out, HasSubstr("sequence complete yes\n"));
}

TEST_F(Program, CountsACutFileAndRefusesIt) {
  const Ran ran = cairn({"recordings", "verify", write_recording(make_recording().first)});
  EXPECT_EQ(ran.exit_code, 3);
  EXPECT_THAT(ran.out, HasSubstr("complete          NO\n"));
  EXPECT_THAT(ran.err, HasSubstr("recording ends after 2 whole chunks"));
}

TEST_F(Program, RefusesWhatIsNoRecording) {
  const Ran ran = cairn({"play", write_recording(std::string(100, 'x'))});
  EXPECT_EQ(ran.exit_code, 3);
  EXPECT_THAT(ran.err, HasSubstr("session.rec"));
  EXPECT_EQ(cairn({"play", "/nonexistent.rec"}).err, "cairn: there is no file /nonexistent.rec\n");
  EXPECT_EQ(cairn({"play", "/nonexistent.rec"}).exit_code, 5);
  EXPECT_EQ(cairn({"play", "/dev/null"}).exit_code, 2);
}

TEST_F(Program, RefusesImpossibleSpeeds) {
  const Ran ran = cairn({"play", "x.rec", "--speed=0.01"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_EQ(ran.err, "cairn: --speed 0.01: expected a number within 0.1..100\n");
}

}  // namespace
}  // namespace cairn::cli
