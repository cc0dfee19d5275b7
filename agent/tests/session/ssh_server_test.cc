#include "agent/session/ssh_server.h"

#include <algorithm>
#include <filesystem>
#include <random>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/tests/session/ssh_fixture.h"

namespace cairn::agent {
namespace {

using recording::v1::Event;
using testing::HasSubstr;
using testing::Not;

class StockSsh : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string reason = why_no_logins(); !reason.empty()) GTEST_SKIP() << reason;
  }

  // What the recording holds of one stream.
  static std::string recorded(const std::vector<Event>& events, recording::v1::Stream stream) {
    std::string bytes;
    for (const Event& event : events) {
      if (event.has_output() && event.output().stream() == stream) bytes += event.output().data();
    }
    return bytes;
  }
  static std::string random_text(size_t bytes) {
    std::mt19937_64 random(20261120);
    std::string text(bytes, '\0');
    std::ranges::generate(text, [&random] { return static_cast<char>(random()); });
    return text;
  }
  // The options as one string, for programs that run ssh themselves.
  std::string ssh_command() const {
    std::string script = "#!/bin/bash\nexec ssh";
    for (const std::string& word : node_.options("root", "key")) script += fmt::format(" '{}'", word);
    node_.write("run_ssh", script + " \"$@\"\n");
    std::filesystem::permissions(node_.path("run_ssh"), std::filesystem::perms::owner_all);
    return node_.path("run_ssh").string();
  }

  SshNode node_;
};

TEST_F(StockSsh, RunsACommandAndRecordsItsOutputApart) {
  const Finished done = node_.ssh({}, {"wc -l; echo oops >&2; exit 7"}, "one\ntwo\n");
  EXPECT_EQ(done.status, 7) << node_.log();
  EXPECT_EQ(done.output, "2\n");
  EXPECT_THAT(done.errors, HasSubstr("oops\n"));
  const std::vector<Event> events = node_.recording();
  EXPECT_EQ(recorded(events, recording::v1::STREAM_STDOUT), "2\n");
  EXPECT_EQ(recorded(events, recording::v1::STREAM_STDERR), "oops\n");
  ASSERT_GE(events.size(), 4U);
  EXPECT_EQ(events.front().begin().user(), "alice");
  EXPECT_EQ(events.front().begin().login(), "root");
  EXPECT_EQ(events[1].channel_opened().command(), "wc -l; echo oops >&2; exit 7");
  EXPECT_EQ(events[events.size() - 2].channel_closed().exit_status(), 7U);
  EXPECT_EQ(events.back().end().reason(), recording::v1::END_REASON_COMPLETE);
}

TEST_F(StockSsh, GivesTheCommandThreeDescriptorsAndACleanEnvironment) {
  ::setenv("LC_CAIRN", "yes", 1);
  ::setenv("CAIRN_SECRET", "no", 1);
  const Finished done = node_.ssh({"-o", "SendEnv=LC_CAIRN CAIRN_SECRET"},
                                  {"ls /proc/self/fd | wc -l; echo $LC_CAIRN-$CAIRN_SECRET-$ASAN_OPTIONS; pwd; id -un; "
                                   "echo $HOME $USER $LOGNAME; echo $SSH_CLIENT; echo $SSH_CONNECTION | wc -w; "
                                   "echo $CAIRN_SESSION_ID | wc -c; umask; echo to_stderr >/dev/stderr"});
  EXPECT_EQ(done.status, 0) << node_.log();
  EXPECT_EQ(done.output, "4\nyes--\n/root\nroot\n/root root root\n127.0.0.1 50022 0\n4\n37\n0022\n");
  EXPECT_THAT(done.errors, HasSubstr("to_stderr"));
}

TEST_F(StockSsh, GivesATerminalWithItsNameAndType) {
  ::setenv("TERM", "xterm-256color", 1);
  const Finished done = node_.ssh({"-tt"}, {"tty; echo $TERM $SSH_TTY; stty -a | grep -o iutf8; exit 3"});
  EXPECT_EQ(done.status, 3) << node_.log();
  EXPECT_THAT(done.output, HasSubstr("/dev/pts/"));
  EXPECT_THAT(done.output, HasSubstr("xterm-256color /dev/pts/"));
  EXPECT_THAT(done.output, HasSubstr("iutf8"));
  const std::vector<Event> events = node_.recording();
  EXPECT_EQ(recorded(events, recording::v1::STREAM_TERMINAL), done.output);
  ASSERT_GE(events.size(), 2U);
  EXPECT_TRUE(events[1].channel_opened().has_pty());
  EXPECT_EQ(events[1].channel_opened().term(), "xterm-256color");
}

TEST_F(StockSsh, RunsALoginShellThatIsTypedInto) {
  const Finished done = node_.ssh({"-tt"}, {}, "echo shell-$((40+2)) $0\nexit 5\n");
  EXPECT_EQ(done.status, 5) << node_.log();
  EXPECT_THAT(done.output, HasSubstr("shell-42 -"));
  EXPECT_EQ(recorded(node_.recording(), recording::v1::STREAM_TERMINAL), done.output);
}

TEST_F(StockSsh, LosesNothingThatATerminalProgramWritesLast) {
  const Finished done = node_.ssh({"-tt"}, {"seq 1 60000; echo the end"});
  EXPECT_EQ(done.status, 0);
  EXPECT_EQ(std::ranges::count(done.output, '\n'), 60001);
  EXPECT_THAT(done.output, HasSubstr("\n60000\r\nthe end\r\n"));
}

TEST_F(StockSsh, TellsTheSignalThatEndedACommand) {
  const Finished done = node_.ssh({"-v"}, {"kill -USR1 $$"});
  EXPECT_EQ(done.status, 255);
  EXPECT_THAT(done.errors, HasSubstr("exit-signal"));
  const std::vector<Event> events = node_.recording();
  ASSERT_GE(events.size(), 3U);
  EXPECT_EQ(events[events.size() - 2].channel_closed().exit_signal(), "USR1");
}

TEST_F(StockSsh, CarriesMegabytesBothWaysUnharmed) {
  const std::string bytes = random_text(20'000'000);
  const Finished done = node_.ssh({}, {"cat"}, bytes);
  EXPECT_EQ(done.status, 0) << node_.log();
  EXPECT_TRUE(done.output == bytes) << done.output.size() << " of " << bytes.size() << " bytes";
  EXPECT_TRUE(recorded(node_.recording(), recording::v1::STREAM_STDOUT) == bytes);
}

TEST_F(StockSsh, WaitsForAProgramThatDoesNotRead) {
  const Finished done =
      node_.ssh({}, {"read -r line <&0; echo \"$line\"; sleep 0.2; wc -c"}, "go\n" + std::string(8'000'000, 'x'));
  EXPECT_EQ(done.status, 0) << node_.log();
  EXPECT_EQ(done.output, "go\n8000000\n");
}

TEST_F(StockSsh, EndsAProgramWhoseReaderHasGone) {
  const std::string command = fmt::format("timeout 30 {} node yes | head -n 1", ssh_command());
  const Finished done = run_program({"bash", "-c", command});
  EXPECT_EQ(done.output, "y\n");
  EXPECT_EQ(done.status, 0);
  const std::vector<Event> events = node_.recording();
  ASSERT_GE(events.size(), 3U);
  EXPECT_EQ(events[events.size() - 2].channel_closed().exit_signal(), "PIPE");
}

TEST_F(StockSsh, HangsTheTerminalUpWhenTheConnectionBreaks) {
  // The shell outlives its terminal and says so; nobody else tells the file.
  const std::string script = fmt::format(
      "trap 'echo hung up >{0}/hup; exit' HUP; kill -KILL $(cat {0}/ssh_pid); "
      "while :; do sleep 0.05; done",
      node_.folder().string());
  node_.write("script", script);
  const std::string command = fmt::format("{0} -tt node bash {1}/script </dev/null & echo $! >{1}/ssh_pid; wait $!",
                                          ssh_command(), node_.folder().string());
  run_program({"timeout", "60", "bash", "-c", command});
  const std::vector<Event> events = node_.recording();
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().end().reason(), recording::v1::END_REASON_COMPLETE);
  EXPECT_TRUE(std::filesystem::exists(node_.path("hup"))) << node_.log();
}

TEST_F(StockSsh, ServesManyChannelsOnOneConnection) {
  const std::string control = node_.path("mux").string();
  const std::string ssh = ssh_command();
  const std::string script = fmt::format(
      "{0} -o ControlMaster=yes -o ControlPath={1} -o ControlPersist=30 node true; "
      "for n in 1 2 3 4 5 6 7 8; do ssh -F none -o ControlPath={1} node \"echo $n; exit $n\" & done | sort; wait; "
      "ssh -F none -o ControlPath={1} -O exit node",
      ssh, control);
  const Finished done = run_program({"timeout", "60", "bash", "-c", script});
  EXPECT_EQ(done.output, "1\n2\n3\n4\n5\n6\n7\n8\n") << done.errors << node_.log();
  std::vector<uint32_t> statuses;
  for (const Event& event : node_.recording()) {
    if (event.has_channel_closed()) statuses.push_back(event.channel_closed().exit_status());
  }
  EXPECT_THAT(statuses, testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8));
}

TEST_F(StockSsh, CopiesFilesWithScpSftpAndRsync) {
  node_.write("original", random_text(3'000'000));
  const std::string ssh = ssh_command();
  const std::string script = fmt::format(
      "set -e; cd {0}; "
      "for o in '' -O; do scp -q $o -S {1} original node:{0}/copy; cmp original copy; scp -q $o -S {1} node:{0}/copy "
      "back; "
      "cmp original back; rm copy back; done; "
      "printf 'put original {0}/copy\\nget {0}/copy back\\nrm {0}/copy\\n' >batch; sftp -q -S {1} -b batch node "
      ">/dev/null; "
      "cmp original back; "
      "if command -v rsync >/dev/null; then mkdir -p tree/a; cp original tree/a; rsync -a -e {1} tree/ "
      "node:{0}/tree2/; "
      "rsync -a -e {1} node:{0}/tree2/ tree3/; diff -r tree tree3; fi; echo all good",
      node_.folder().string(), ssh);
  const Finished done = run_program({"timeout", "100", "bash", "-c", script});
  EXPECT_EQ(done.status, 0) << done.errors << node_.log();
  EXPECT_EQ(done.output, "all good\n");
}

TEST_F(StockSsh, RunsTheForcedCommandInstead) {
  node_.make_key("forced");
  node_.certify("forced", "ca",
                {"-n", "root", "-V", "-1h:+1h", "-O", "force-command=echo forced: $SSH_ORIGINAL_COMMAND"});
  const Finished done = node_.ssh({}, {"cat /etc/shadow"}, {}, "root", "forced");
  EXPECT_EQ(done.output, "forced: cat /etc/shadow\n") << node_.log();
  const std::vector<Event> events = node_.recording();
  ASSERT_GE(events.size(), 2U);
  EXPECT_THAT(events[1].channel_opened().command(), HasSubstr("echo forced"));
}

TEST_F(StockSsh, GivesNoTerminalWithoutPermitPty) {
  node_.make_key("no_pty");
  node_.certify("no_pty", "ca", {"-n", "root", "-V", "-1h:+1h", "-O", "no-pty"});
  const Finished done = node_.ssh({"-tt"}, {"tty"}, {}, "root", "no_pty");
  EXPECT_THAT(done.errors, HasSubstr("PTY allocation request failed"));
}

TEST_F(StockSsh, IsRefusedForwardingsAndGoesOn) {
  const Finished done = node_.ssh({"-R", "0:127.0.0.1:1", "-A"}, {"echo ${SSH_AUTH_SOCK:-none}"});
  EXPECT_EQ(done.status, 0);
  EXPECT_EQ(done.output, "none\n");
  EXPECT_THAT(done.errors, HasSubstr("remote port forwarding failed"));
  EXPECT_THAT(node_.log(), HasSubstr("forwarding.refused"));
}

TEST_F(StockSsh, KeepsTheRecordingOpenForWhatOutlivesTheConnection) {
  const std::string script = fmt::format(
      "(while [ -d {0} ] && [ ! -e {0}/go ]; do sleep 0.05; done) & echo $!; disown; exit 0", node_.folder().string());
  const Finished done =
      node_.ssh({"-tt"}, {"nohup bash -c '(" + script + ") >/dev/null 2>&1' >/dev/null 2>&1; echo started"});
  EXPECT_THAT(done.output, HasSubstr("started"));
  node_.write("go", "");
  EXPECT_EQ(node_.recording().back().end().reason(), recording::v1::END_REASON_COMPLETE);
}

// ---- refusals: what the person reads

TEST_F(StockSsh, ReadsWhyItsCertificateIsRefused) {
  node_.make_key("expired");
  node_.certify("expired", "ca", {"-n", "root", "-V", "-2h:-1h"});
  const Finished done = node_.ssh({}, {"true"}, {}, "root", "expired");
  EXPECT_EQ(done.status, 255);
  EXPECT_THAT(done.errors, HasSubstr("cairn: the certificate expired"));
  EXPECT_THAT(done.errors, Not(HasSubstr("plain key")));
  EXPECT_THAT(node_.log(), HasSubstr("key.refused"));
  EXPECT_EQ(node_.recordings(), 0U);
}

TEST_F(StockSsh, ReadsWhyAuthRefuses) {
  node_.write("denied", "no role of yours gives the login root on web-1");
  const Finished done = node_.ssh({}, {"true"});
  EXPECT_EQ(done.status, 255);
  EXPECT_THAT(done.errors, HasSubstr("cairn: no role of yours gives the login root on web-1"));
  EXPECT_EQ(node_.recordings(), 0U);
}

TEST_F(StockSsh, IsRefusedWhenAuthCannotBeAsked) {
  node_.write("auth_down", "connection refused");
  const Finished done = node_.ssh({}, {"true"});
  EXPECT_EQ(done.status, 255);
  EXPECT_THAT(done.errors, HasSubstr("cannot ask the cluster's auth service"));
  EXPECT_EQ(node_.recordings(), 0U);
}

TEST_F(StockSsh, IsRefusedWithoutTheKernelEventsThatThePolicyWants) {
  node_.write("require_kernel_events", "");
  const Finished done = node_.ssh({}, {"true"});
  EXPECT_EQ(done.status, 255);
  EXPECT_THAT(done.errors, HasSubstr("requires the recording of kernel events"));
  EXPECT_EQ(node_.recordings(), 0U);
}

TEST_F(StockSsh, IsRefusedWithoutARecording) {
  std::filesystem::remove_all(node_.path("spool"));
  node_.write("spool", "not a folder");
  const Finished done = node_.ssh({}, {"true"});
  EXPECT_EQ(done.status, 255);
  EXPECT_THAT(done.errors, HasSubstr("cannot record the session"));
}

TEST_F(StockSsh, IsRefusedForAnUnknownAccount) {
  node_.certify("key", "ca", {"-n", "no-such-account", "-V", "-1h:+1h"});
  const Finished done = node_.ssh({}, {"true"}, {}, "no-such-account");
  EXPECT_EQ(done.status, 255);
  EXPECT_THAT(done.errors, HasSubstr("there is no account no-such-account"));
}

TEST_F(StockSsh, ReadsWhatIsMissingWithoutThePamService) {
  std::filesystem::remove(node_.path("pam.d") / "cairn");
  const Finished done = node_.ssh({}, {"true"});
  EXPECT_EQ(done.status, 254);
  EXPECT_THAT(done.errors, HasSubstr((node_.path("pam.d") / "cairn").string()));
}

TEST_F(StockSsh, IsTurnedAwayByPamWithItsReason) {
  node_.write("pam.d/cairn", "account requisite pam_deny.so\nsession required pam_permit.so\n");
  const Finished done = node_.ssh({}, {"true"});
  EXPECT_EQ(done.status, 254);
  EXPECT_THAT(done.errors, HasSubstr("the account root may not log in here"));
}

}  // namespace
}  // namespace cairn::agent
