#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/player/json_event.h"
#include "cli/print/json.h"
#include "cli/tests/run_program.h"
#include "cli/tests/test_recording.h"

namespace cairn::cli {
namespace {

using recording::v1::Event;
using testing::HasSubstr;
using testing_support::kSecond;
using testing_support::Ran;
using testing_support::run_program;
using testing_support::TemporaryFolder;

// A recording that says `issued` kernel events and holds number 1; `missing` of them stand in a gap.
std::string recording_of(uint64_t issued, uint64_t missing) {
  testing_support::ChunkMaker make;
  Event begin;
  begin.set_boot_ns(kSecond);
  begin.mutable_begin()->set_session_id(testing_support::kSessionId);
  std::string bytes = make.begin(begin);
  std::vector<Event> events = {testing_support::exit_at(2 * kSecond, 7)};
  events[0].set_kernel_seq(1);
  if (missing > 0) {
    Event& gap = events.emplace_back();
    gap.set_boot_ns(3 * kSecond);
    gap.mutable_gap()->set_from_seq(2);
    gap.mutable_gap()->set_to_seq(1 + missing);
    gap.mutable_gap()->set_count(missing);
    gap.mutable_gap()->set_reason(recording::v1::GAP_REASON_RING_FULL);
  }
  bytes += make.events(std::move(events));
  Event end;
  end.set_boot_ns(4 * kSecond);
  end.mutable_end()->set_reason(recording::v1::END_REASON_COMPLETE);
  end.mutable_end()->set_kernel_issued(issued);
  end.mutable_end()->set_kernel_stored(1);
  end.mutable_end()->set_kernel_missing(missing);
  return bytes + make.end(end);
}

class PlayVerdict : public testing::Test {
 protected:
  Ran play(const std::string& bytes, const std::string& format) {
    const std::string file = folder_.path() / "session.rec";
    std::ofstream(file, std::ios::binary) << bytes;
    return run_program({CAIRN_BINARY, "play", file, "--format=" + format}, {"CAIRN_HOME=" + folder_.path().string()});
  }
  TemporaryFolder folder_;
};

TEST_F(PlayVerdict, SaysThatKernelEventsAreUnaccountedFor) {
  for (const char* format : {"table", "json"}) {
    const Ran ran = play(recording_of(5, 0), format);
    EXPECT_EQ(ran.exit_code, 3);
    EXPECT_THAT(ran.err,
                HasSubstr("session.rec does not account for all kernel events: 5 issued, 1 stored, 0 in gaps"));
  }
}

TEST_F(PlayVerdict, NamesGapsWithoutRefusingThem) {
  const Ran ran = play(recording_of(5, 4), "table");
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("  gap   4 kernel events missing (2..5): the kernel's ring was full\n"));
  EXPECT_THAT(ran.err, HasSubstr("the recording has 1 gap: 4 kernel events are missing; "));
}

TEST(EventAsJson, HasAddressesAsTextAndOnlyWhatIsSet) {
  Event event;
  event.set_boot_ns(kSecond);
  event.mutable_connect()->set_phase(recording::v1::CONNECT_PHASE_RESULT);
  event.mutable_connect()->set_family(4);
  event.mutable_connect()->set_remote_address(std::string("\x7f\0\0\x01", 4));
  event.mutable_connect()->set_remote_port(80);
  EXPECT_EQ(json_line(event_to_json(event)),
            R"({"boot_ns":1000000000,"connect":{"phase":"CONNECT_PHASE_RESULT","family":4,)"
            R"("remote_address":"127.0.0.1","remote_port":80}})");
  event.mutable_connect()->set_remote_address(std::string(15, '\0') + '\x01');
  EXPECT_EQ(event_to_json(event)["connect"]["remote_address"], "::1");
}

TEST(EventAsJson, KeepsBytesThatAreNoText) {
  const Event event = testing_support::output_at(1, "a\xff");
  EXPECT_EQ(event_to_json(event)["output"]["data"], "a\xef\xbf\xbd");
  EXPECT_EQ(event_to_json(event)["output"]["data_base64"], "Yf8=");
}

}  // namespace
}  // namespace cairn::cli
