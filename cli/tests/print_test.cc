#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/print/plain_text.h"
#include "cli/print/table.h"
#include "proto/auth.pb.h"
#include "proto/recording.pb.h"

namespace cairn::cli {
namespace {

TEST(Table, AlignsColumnsUnderTheHeader) {
  Table table({"NAME", "STATE"});
  table.add({"a-long-name", "online"});
  table.add({"b", ""});
  EXPECT_EQ(table.text(),
            "NAME         STATE\n"
            "a-long-name  online\n"
            "b            -\n");
}

TEST(Table, EscapesForeignText) {
  Table table({"NAME"});
  table.add({"\x1b[2Jevil\nroot online"});
  EXPECT_EQ(table.text(), "NAME\n\\x1b[2Jevil\\nroot online\n");
}

TEST(PrintableText, KeepsUtf8AndEscapesTheRest) {
  EXPECT_EQ(printable("na\xc3\xafve"), "na\xc3\xafve");
  EXPECT_EQ(printable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b") << "CSI as a C1 control";
  EXPECT_EQ(printable("\xe2\x80\xae"), "\\xe2\\x80\\xae") << "right-to-left override";
}

TEST(Spans, AreRoundedDownToOneUnit) {
  EXPECT_EQ(format_span(0), "0 s");
  EXPECT_EQ(format_span(119), "119 s");
  EXPECT_EQ(format_span(3 * 3600 + 59), "3 h");
  EXPECT_EQ(format_relative(0, 100), "never");
  EXPECT_EQ(format_relative(100, 100), "now");
  EXPECT_EQ(format_relative(40, 100), "60 s ago");
  EXPECT_EQ(format_relative(100 + 11 * 3600, 100), "in 11 h");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
}

TEST(Json, HasEveryFieldUnderItsProtoName) {
  auth::v1::Node node;
  node.set_name("web-1");
  node.set_last_seen_wall_s(1'800'000'000);
  (*node.mutable_labels())["env"] = "prod";
  EXPECT_EQ(
      json_line(to_json(node)),
      R"({"id":"","name":"web-1","labels":{"env":"prod"},"version":"","ssh_host_key":"","last_seen_wall_s":1800000000,)"
      R"("online":false,"capture_tier":"","kernel":"","hooks":[],"capture_error":""})");
}

TEST(Json, LeavesOutWhatIsUnsetWhenAsked) {
  recording::v1::Event event;
  event.set_boot_ns(18446744073709551615u);
  event.mutable_connect()->set_phase(recording::v1::CONNECT_PHASE_RESULT);
  EXPECT_EQ(json_line(to_json(event, Fields::kSet)),
            R"({"boot_ns":18446744073709551615,"connect":{"phase":"CONNECT_PHASE_RESULT"}})");
}

TEST(Json, GivesBytesThatAreNoTextInBase64Too) {
  recording::v1::TerminalOutput output;
  output.set_data("a\xff");
  EXPECT_EQ(json_line(to_json(output, Fields::kSet)), "{\"data\":\"a\xef\xbf\xbd\",\"data_base64\":\"Yf8=\"}");
  recording::v1::Exec exec;
  exec.add_argv("cat");
  exec.add_argv("\xfe");
  const auto json = to_json(exec, Fields::kSet);
  EXPECT_EQ(json["argv"][0], "cat");
  EXPECT_EQ(json["argv_base64"][1], "/g==");
}

struct Code {
  const char* name;
  std::error_code error;
  int exit_code;
};
class ExitCode : public testing::TestWithParam<Code> {};

TEST_P(ExitCode, TellsTheKindOfError) { EXPECT_EQ(exit_code_of({GetParam().error, "why"}), GetParam().exit_code); }

INSTANTIATE_TEST_SUITE_P(
    Errors, ExitCode,
    testing::Values(Code{"invalid", Errc::kInvalid, 2}, Code{"truncated", Errc::kTruncated, 3},
                    Code{"corrupt", Errc::kCorrupt, 3}, Code{"denied", Errc::kDenied, 4},
                    Code{"unauthenticated", Errc::kUnauthenticated, 4}, Code{"expired", Errc::kExpired, 4},
                    Code{"not_found", Errc::kNotFound, 5}, Code{"unavailable", Errc::kUnavailable, 6},
                    Code{"timeout", Errc::kTimeout, 6}, Code{"closed", Errc::kClosed, 6},
                    Code{"connection_refused", std::make_error_code(std::errc::connection_refused), 6},
                    Code{"internal", Errc::kInternal, 1},
                    Code{"permission", std::make_error_code(std::errc::permission_denied), 1}),
    [](const auto& code) { return std::string(code.param.name); });

}  // namespace
}  // namespace cairn::cli
