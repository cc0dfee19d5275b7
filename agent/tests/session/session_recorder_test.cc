#include "agent/session/session_recorder.h"

#include <atomic>

#include <gtest/gtest.h>

#include "agent/tests/supervisor/temporary_folder.h"
#include "base/bytes.h"
#include "base/file.h"
#include "recorder/recording_decoder.h"

namespace cairn::agent {
namespace {

using recording::v1::Event;

class Recorder : public testing::Test {
 protected:
  std::unique_ptr<SessionRecorder> make(uint64_t quota_bytes) {
    recording::v1::Begin begin;
    begin.set_session_id(random_uuid());
    auto writer = recorder::RecordingWriter::create(path(), begin, clock_.boot_ns(), {.quota_bytes = quota_bytes});
    EXPECT_TRUE(writer) << writer.error().message;
    return std::make_unique<SessionRecorder>(
        std::move(*writer), &clock_, [this] { ++wakes_; }, Log("test", LogLevel::kError));
  }
  std::filesystem::path path() const { return folder_.path() / "session.rec"; }
  Event output(size_t bytes) const {
    Event event;
    event.set_boot_ns(clock_.boot_ns());
    event.mutable_output()->set_stream(recording::v1::STREAM_STDOUT);
    event.mutable_output()->set_data(random_bytes(bytes));
    return event;
  }
  std::vector<Event> events() const {
    std::vector<Event> all;
    recorder::RecordingDecoder decoder;
    const auto bytes = read_file(path(), size_t{1} << 30);
    decoder.feed(*bytes);
    for (auto event = decoder.next(); event && event->has_value(); event = decoder.next()) all.push_back(**event);
    EXPECT_TRUE(decoder.is_complete());
    return all;
  }

  TemporaryFolder folder_;
  SystemClock clock_;
  std::atomic<int> wakes_ = 0;
};

TEST_F(Recorder, StoresEveryByteThoughItsQueueOverflows) {
  const auto recorder = make(uint64_t{1} << 30);
  constexpr size_t kPieces = 1000;
  bool was_full = false;
  for (size_t i = 0; i < kPieces; ++i) {
    recorder->add(output(32768));
    was_full = was_full || !recorder->has_room();
  }
  EXPECT_TRUE(was_full);
  EXPECT_TRUE(recorder->await_room(std::chrono::seconds(30)));
  ASSERT_TRUE(recorder->seal(recording::v1::END_REASON_COMPLETE, 0, std::chrono::seconds(1)));
  EXPECT_GT(wakes_, 0);
  EXPECT_EQ(events().back().end().output_bytes(), kPieces * 32768);
}

TEST_F(Recorder, AccountsForWhatASpoolThatIsFullCouldNotTake) {
  const auto recorder = make(200'000);
  constexpr size_t kPieces = 800;
  for (size_t i = 0; i < kPieces; ++i) {
    recorder->add(output(32768));
    while (!recorder->has_room()) recorder->await_room(std::chrono::milliseconds(1));
  }
  ASSERT_TRUE(recorder->seal(recording::v1::END_REASON_COMPLETE, 0, std::chrono::seconds(1)));
  EXPECT_FALSE(recorder->failure());
  uint64_t stored = 0;
  uint64_t lost = 0;
  for (const Event& event : events()) {
    stored += event.output().data().size();
    if (event.has_gap()) lost += event.gap().output_bytes();
  }
  EXPECT_GT(lost, 0U);
  EXPECT_EQ(stored + lost, kPieces * 32768);
}

TEST_F(Recorder, IsCompleteThoughItRestedInBetween) {
  const auto recorder = make(uint64_t{1} << 30);
  ASSERT_TRUE(recorder->seal(recording::v1::END_REASON_COMPLETE, 0, std::chrono::seconds(1)));
  EXPECT_EQ(events().size(), 2U);
}

}  // namespace
}  // namespace cairn::agent
