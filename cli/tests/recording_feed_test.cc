#include "cli/player/recording_feed.h"

#include <deque>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/tests/test_recording.h"

namespace cairn::cli {
namespace {

using State = EventFeed::State;
using testing::HasSubstr;
using testing_support::make_recording;
using testing_support::TestRecording;

// The bytes of a recording in slices; what comes only after a wait stands in `later`.
class FakeSource final : public RecordingSource {
 public:
  FakeSource(std::string bytes, size_t slice_bytes) : bytes_(std::move(bytes)), slice_bytes_(slice_bytes) {}

  Result<Piece> read(const ReadPlace& from, size_t limit_bytes, std::chrono::milliseconds wait) override {
    const uint64_t offset = from.offset;
    if (offset >= bytes_.size() && wait.count() > 0 && !later.empty()) {
      bytes_ += later.front();
      later.pop_front();
    }
    const size_t at = std::min<size_t>(offset, bytes_.size());
    return Piece{.bytes = bytes_.substr(at, std::min(slice_bytes_, limit_bytes)),
                 .is_live = !later.empty(),
                 .tail_chunk = 0,
                 .tail = {}};
  }
  Result<std::shared_ptr<const recorder::RecordingKeys>> unlock(const recorder::Opening&) override {
    return fail(Errc::kDenied, "no keys");
  }
  Result<std::optional<recorder::Moment>> find(uint64_t, recorder::Step) override {
    return fail(Errc::kUnsupported, "no moments");
  }
  std::string identity() const override { return "test"; }
  std::string name() const override { return "test.rec"; }

  std::deque<std::string> later;

 private:
  std::string bytes_;
  size_t slice_bytes_;
};

RecordingFeed feed_of(std::string bytes, size_t slice_bytes = 4096, std::deque<std::string> later = {}) {
  auto source = std::make_unique<FakeSource>(std::move(bytes), slice_bytes);
  source->later = std::move(later);
  return RecordingFeed(std::move(source));
}

// What a feed gives until it ends, waits or fails.
struct Given {
  std::vector<recording::v1::Event::KindCase> kinds;
  State state = State::kEvent;
  Error error;
};

Given take_all(RecordingFeed& feed, std::chrono::milliseconds wait = std::chrono::milliseconds(0)) {
  Given given;
  for (;;) {
    Result<EventFeed::Step> step = feed.next(wait);
    if (!step) {
      given.error = step.error();
      return given;
    }
    given.state = step->state;
    if (step->state != State::kEvent) return given;
    given.kinds.push_back(step->event.kind_case());
  }
}

const std::vector<recording::v1::Event::KindCase> kFirstChunk{recording::v1::Event::kBegin,
                                                              recording::v1::Event::kOutput};
const std::vector<recording::v1::Event::KindCase> kWhole{
    recording::v1::Event::kBegin, recording::v1::Event::kOutput, recording::v1::Event::kOutput,
    recording::v1::Event::kProcessExit, recording::v1::Event::kEnd};

TEST(RecordingFeed, GivesAllEventsHoweverTheBytesAreSliced) {
  for (const size_t slice_bytes : {size_t{1}, size_t{7}, size_t{64}, size_t{4096}}) {
    RecordingFeed feed = feed_of(make_recording().whole(), slice_bytes);
    const Given given = take_all(feed);
    EXPECT_EQ(given.state, State::kEnd) << given.error.message;
    EXPECT_EQ(given.kinds, kWhole) << "in slices of " << slice_bytes;
    EXPECT_TRUE(feed.summary().is_sequence_complete);
  }
}

TEST(RecordingFeed, BeginsAnewAfterRewind) {
  RecordingFeed feed = feed_of(make_recording().whole());
  take_all(feed);
  ASSERT_TRUE(feed.rewind());
  EXPECT_EQ(feed.summary().events, 0U);
  EXPECT_EQ(take_all(feed).kinds, kWhole);
}

TEST(RecordingFeed, WaitsAtTheEdgeOfALiveRecordingAndGoesOn) {
  const TestRecording recording = make_recording();
  const std::string half = recording.second.substr(0, 70);
  RecordingFeed feed = feed_of(recording.first, 4096, {half, recording.second.substr(half.size())});
  const Given at_once = take_all(feed);
  EXPECT_EQ(at_once.state, State::kWaiting);
  EXPECT_EQ(at_once.kinds, kFirstChunk);
  const Given rest = take_all(feed, std::chrono::milliseconds(1));
  EXPECT_EQ(rest.state, State::kEnd) << rest.error.message;
  EXPECT_EQ(rest.kinds.size(), kWhole.size() - kFirstChunk.size());
}

TEST(RecordingFeed, RefusesBytesBehindTheEnd) {
  RecordingFeed feed = feed_of(make_recording().whole() + "x");
  const Given given = take_all(feed);
  EXPECT_EQ(given.error.code, make_error_code(Errc::kCorrupt));
  EXPECT_THAT(given.error.message, HasSubstr("test.rec: chunk 4 at offset "));
}

TEST(RecordingFeed, GivesAllBeforeACorruptChunkAndNamesIt) {
  const TestRecording recording = make_recording();
  std::string bytes = recording.whole();
  bytes[recording.first.size() + 200] = static_cast<char>(bytes[recording.first.size() + 200] ^ 1);
  RecordingFeed feed = feed_of(bytes);
  const Given given = take_all(feed);
  EXPECT_EQ(given.kinds, kFirstChunk);
  EXPECT_EQ(given.error.code, make_error_code(Errc::kCorrupt));
  EXPECT_THAT(given.error.message, HasSubstr(fmt::format("test.rec: chunk 2 at offset {}: ", recording.first.size())));
}

struct Cut {
  const char* name;
  size_t bytes_of_second;  // kept
  bool has_first;
};
class TornRecording : public testing::TestWithParam<Cut> {};

TEST_P(TornRecording, GivesItsWholeChunksAndCountsTheRest) {
  const TestRecording recording = make_recording();
  const size_t whole_bytes = GetParam().has_first ? recording.first.size() : 0;
  const std::string bytes = GetParam().has_first
                                ? recording.first + recording.second.substr(0, GetParam().bytes_of_second)
                                : recording.first.substr(0, GetParam().bytes_of_second);
  RecordingFeed feed = feed_of(bytes);
  const Given given = take_all(feed);
  EXPECT_EQ(given.kinds.size(), GetParam().has_first ? kFirstChunk.size() : 0);
  EXPECT_EQ(given.error.code, make_error_code(Errc::kTruncated));
  EXPECT_EQ(
      given.error.message,
      fmt::format("test.rec is cut off: recording ends after {} whole chunks (offset {}); {} bytes of a torn chunk "
                  "follow",
                  GetParam().has_first ? 2 : 0, whole_bytes, bytes.size() - whole_bytes));
}

INSTANTIATE_TEST_SUITE_P(Cuts, TornRecording,
                         testing::Values(Cut{"empty_file", 0, false}, Cut{"inside_the_first_header", 167, false},
                                         Cut{"inside_the_first_payload", 180, false}, Cut{"between_chunks", 0, true},
                                         Cut{"inside_a_header", 10, true}, Cut{"after_a_header", 168, true},
                                         Cut{"inside_a_payload", 190, true}),
                         [](const auto& cut) { return std::string(cut.param.name); });

// The end of the chunk is missing, and not what its events were.
TEST(RecordingFeed, GivesWhatCanBeReadOfATornChunk) {
  const TestRecording recording = make_recording();
  const size_t torn = recorder::parse_chunk_header(recording.second).value().size() - 1;
  RecordingFeed feed = feed_of(recording.first + recording.second.substr(0, torn));
  const Given given = take_all(feed);
  EXPECT_EQ(given.kinds.size(), kWhole.size() - 1) << "all but the End";
  EXPECT_EQ(given.error.code, make_error_code(Errc::kTruncated));
}

}  // namespace
}  // namespace cairn::cli
