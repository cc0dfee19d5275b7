#include "recorder/text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include <google/protobuf/text_format.h>

namespace cairn::recorder {
namespace {

struct Line {
  const char* name;
  const char* event;  // text format
  const char* text;
};

class EventText : public testing::TestWithParam<Line> {};

TEST_P(EventText, IsOneLineForPeople) {
  recording::v1::Event event;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(GetParam().event, &event));
  EXPECT_EQ(describe(event), GetParam().text);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, EventText,
    testing::Values(
        Line{"exec",
             R"(exec { process { pid: 123 uid: 1000 } executable { path: "/usr/bin/cat" complete: true }
                argv: "cat" argv: "/etc/hostname" })",
             "exec  pid 123 uid 1000 /usr/bin/cat  cat /etc/hostname"},
        Line{
            "exec_with_foreign_bytes",
            R"(exec { process { pid: 1 } executable { path: "/tmp/a b" complete: true } argv: "\033]52;c;x\007" argv: "" })",
            R"(exec  pid 1 uid 0 "/tmp/a b"  "\x1b]52;c;x\x07" "")"},
        Line{"exec_that_failed", R"(exec { process { pid: 1 } filename: "/nope" result: -2 })",
             "exec  pid 1 uid 0 /nope (claimed) = ENOENT"},
        Line{
            "exec_with_cut_arguments",
            R"(exec { process { pid: 1 } executable { path: "/a" complete: true } argv: "a" argv_truncated: true argv_bytes: 900 })",
            "exec  pid 1 uid 0 /a  a [cut: 900 bytes in all]"},
        Line{"open", R"(open { file { path: "/etc/hostname" complete: true } claimed_path: "hostname" result: 3 })",
             "open  /etc/hostname O_RDONLY = 3"},
        Line{"open_of_a_long_path", R"(open { file { path: "/tail" complete: false } flags: 577 result: 4 })",
             "open  .../tail O_WRONLY|O_CREAT|O_TRUNC = 4"},
        Line{"open_that_failed", R"(open { claimed_path: "no\nsuch" flags: 2 result: -13 })",
             R"(open  "no\nsuch" (claimed) O_RDWR = EACCES)"},
        Line{"open_unreadable", R"(open { claimed_unreadable: true result: -14 })",
             "open  (path unreadable) O_RDONLY = EFAULT"},
        Line{"connect",
             R"(connect { phase: CONNECT_PHASE_RESULT remote_address: "\177\000\000\001" remote_port: 4444 })",
             "connect 127.0.0.1:4444 = ok"},
        Line{
            "connect_refused",
            R"(connect { phase: CONNECT_PHASE_RESULT remote_address: "\177\000\000\001" remote_port: 4444 result: -111 })",
            "connect 127.0.0.1:4444 = ECONNREFUSED"},
        Line{"connect_attempt_v6",
             R"(connect { phase: CONNECT_PHASE_ATTEMPT remote_port: 22
                remote_address: "\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\001" })",
             "connect [::1]:22 = attempt"},
        Line{"connect_of_nonsense",
             R"(connect { phase: CONNECT_PHASE_RESULT remote_address: "xyz" remote_port: 1 result: -4000 })",
             "connect (unknown address):1 = errno 4000"},
        Line{"exit", R"(process_exit { process { pid: 5 } exit_status: 3 })", "exit  pid 5 status 3"},
        Line{"killed", R"(process_exit { process { pid: 5 } exit_signal: 11 core_dumped: true })",
             "exit  pid 5 killed by SIGSEGV (core dumped)"},
        Line{"gap", R"(gap { from_seq: 4 to_seq: 6 count: 3 reason: GAP_REASON_RING_FULL })",
             "gap   3 kernel events missing (4..6): the kernel's ring was full"},
        Line{"gap_of_output", R"(gap { output_bytes: 10 other_events: 2 reason: GAP_REASON_SPOOL_FULL })",
             "gap   10 bytes of output missing 2 other events missing: the spool was full"},
        Line{"gap_not_seen", R"(gap { reason: GAP_REASON_NOT_SEEN classes: "open, connect" })",
             "gap   events of these classes missing: \"open, connect\": the kernel's programs no longer saw them"},
        Line{"hash", R"(executable_hash { executable { path: "/bin/ls" complete: true } sha256: "abcd" })",
             "sha256 /bin/ls abcd"},
        Line{"hash_missing", R"(executable_hash { executable { path: "/x" complete: true } error: "it is gone" })",
             "sha256 /x not read: \"it is gone\""},
        Line{"forward",
             R"(forward { number: 3 kind: FORWARD_KIND_LOCAL phase: FORWARD_PHASE_OPENED host: "db" port: 5432
                peer: "10.0.0.7:5432" })",
             "forward 3 to db:5432 opened: 10.0.0.7:5432"},
        Line{"forward_closed",
             R"(forward { kind: FORWARD_KIND_REMOTE phase: FORWARD_PHASE_CLOSED host: "localhost" port: 80
                sent: 7 received: 9 })",
             "forward 0 from localhost:80 closed: 7 bytes to the client, 9 from it"},
        Line{"forward_refused",
             R"(forward { kind: FORWARD_KIND_AGENT phase: FORWARD_PHASE_REFUSED reason: "not\033 you" })",
             R"(forward 0 of the agent refused: "not\x1b you")"},
        Line{"output_not_kept_from_here", R"(output_not_kept { channel: 1 stream: STREAM_STDOUT })",
             "standard output of channel 1: not kept from here on, as the policy has it"},
        Line{"output_not_kept", R"(output_not_kept { stream: STREAM_STDERR bytes: 7 })",
             "standard error of channel 0: 7 bytes were passed on and not kept"},
        Line{"gap_unknown", R"(gap { reason: GAP_REASON_INTERRUPTED })",
             "gap   events missing, nobody knows how many: the session's worker died"},
        Line{
            "opened",
            R"(channel_opened { channel: 1 type: CHANNEL_TYPE_COMMAND command: "id" has_pty: true term: "xterm" columns: 80 rows: 24 pid: 9 })",
            "channel 1 opened: command id, terminal xterm 80x24, pid 9"},
        Line{"output", R"(output { data: "x" })", ""}),
    [](const auto& line) { return std::string(line.param.name); });

TEST(EventText, IsBoundedAndPrintable) {
  recording::v1::Event event;
  event.mutable_exec()->mutable_executable()->set_path(std::string(100'000, '\x9b'));
  for (int i = 0; i < 10'000; ++i) event.mutable_exec()->add_argv(std::string(100, '\n'));
  const std::string text = describe(event);
  EXPECT_LE(text.size(), kMaxTextBytes);
  EXPECT_TRUE(std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 0x7f; }));
}

TEST(ErrnoName, KnowsEveryValue) {
  EXPECT_EQ(errno_name(-ENOENT), "ENOENT");
  EXPECT_EQ(errno_name(EPERM), "EPERM");
  EXPECT_EQ(errno_name(-2147483647 - 1), "errno 2147483648");
}

TEST(OpenFlags, NamesWhatIsInsideOfOthersOnce) {
  EXPECT_EQ(open_flags_text(0x101000 | 1), "O_WRONLY|O_SYNC");
  EXPECT_EQ(open_flags_text(0x1000), "O_RDONLY|O_DSYNC");
  EXPECT_EQ(open_flags_text(0x80000000), "O_RDONLY|0x80000000");
}

}  // namespace
}  // namespace cairn::recorder
