// A jump in a recording: the right screen, and little read for it.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/player/file_source.h"
#include "cli/player/late_feed.h"
#include "cli/player/recording_feed.h"
#include "cli/tests/test_recording.h"

namespace cairn::cli {
namespace {

using testing_support::begin_at;
using testing_support::ChunkMaker;
using testing_support::kSecond;
using testing_support::output_at;

constexpr size_t kMaxReadForOneMoment = 256 << 10;

// Counts what is read of another.
class CountingSource final : public RecordingSource {
 public:
  CountingSource(std::unique_ptr<RecordingSource> source, size_t* bytes) : source_(std::move(source)), bytes_(bytes) {}

  Result<Piece> read(const ReadPlace& from, size_t limit_bytes, std::chrono::milliseconds wait) override {
    Result<Piece> piece = source_->read(from, limit_bytes, wait);
    if (piece) *bytes_ += piece->bytes.size();
    return piece;
  }
  Result<std::shared_ptr<const recorder::RecordingKeys>> unlock(const recorder::Opening& opening) override {
    return source_->unlock(opening);
  }
  Result<std::optional<recorder::Moment>> find(uint64_t at_ns, recorder::Step step) override {
    return source_->find(at_ns, step);
  }
  std::string identity() const override { return source_->identity(); }
  std::string name() const override { return source_->name(); }

 private:
  std::unique_ptr<RecordingSource> source_;
  size_t* bytes_;
};

class Seeking : public testing::Test {
 protected:
  static constexpr int kChunks = 60;
  static constexpr int kLinesInChunk = 400;

  Seeking() {
    std::string name = testing::TempDir() + "cairn-seek-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    local_ = LocalDerivation(folder_ / "derived");
    ChunkMaker make;
    std::ofstream file(folder_ / "long.rec", std::ios::binary);
    recording::v1::Event begin = begin_at(kSecond);
    begin.mutable_begin()->set_session_id(testing_support::kSessionId);
    file << make.begin(begin);
    recording::v1::Event opened;
    opened.set_boot_ns(kSecond);
    opened.mutable_channel_opened()->set_has_pty(true);
    opened.mutable_channel_opened()->set_columns(80);
    opened.mutable_channel_opened()->set_rows(24);
    uint64_t random = 1;
    for (int chunk = 0; chunk < kChunks; ++chunk) {
      std::vector<recording::v1::Event> events;
      if (chunk == 0) events.push_back(opened);
      for (int line = 0; line < kLinesInChunk; ++line) {
        std::string noise;
        for (int i = 0; i < 3; ++i) {
          random = random * 6364136223846793005 + 1442695040888963407;
          noise += fmt::format("{:016x}", random);
        }
        const int number = chunk * kLinesInChunk + line;
        events.push_back(
            output_at((2 + static_cast<uint64_t>(number)) * kSecond, fmt::format("{} line {}\r\n", noise, number)));
      }
      file << make.events(std::move(events));
    }
    recording::v1::Event end;
    end.set_boot_ns(100'000 * kSecond);
    end.mutable_end()->set_reason(recording::v1::END_REASON_COMPLETE);
    file << make.end(end);
  }
  ~Seeking() override { std::filesystem::remove_all(folder_); }

  RecordingFeed feed(const LocalDerivation* local) {
    const auto locked = [](const recorder::Opening&) -> Result<std::shared_ptr<const recorder::RecordingKeys>> {
      return fail(Errc::kDenied, "no keys");
    };
    return RecordingFeed(
        std::make_unique<CountingSource>(FileSource::open(folder_ / "long.rec", locked).value(), &read_), local);
  }

  // What is on the screen `at_s` seconds after the beginning.
  static std::string screen(EventFeed& feed, uint64_t at_s) {
    LateFeed late(&feed, at_s * kSecond);
    for (;;) {
      const Result<EventFeed::Step> step = late.next(std::chrono::milliseconds(0));
      if (!step) return step.error().message;
      if (step->state != EventFeed::State::kEvent || step->event.has_output()) break;
    }
    return late.track().screen().drawing();
  }

  std::filesystem::path folder_;
  LocalDerivation local_{{}};
  size_t read_ = 0;
};

TEST_F(Seeking, ShowsTheScreenThatPlayingFromTheStartShows) {
  RecordingFeed jumping = feed(&local_);
  for (const uint64_t at_s : {1, 2, 3, 399, 400, 401, 402, 12'345, 23'999, 24'001, 24'002, 200'000}) {
    RecordingFeed playing = feed(nullptr);
    ASSERT_TRUE(jumping.rewind());
    EXPECT_EQ(screen(jumping, at_s), screen(playing, at_s)) << at_s;
    EXPECT_TRUE(jumping.has_jumped());
    EXPECT_FALSE(playing.has_jumped());
  }
}

TEST_F(Seeking, ReadsLittleMoreThanTheMomentsChunk) {
  ASSERT_GT(std::filesystem::file_size(folder_ / "long.rec"), 2 * kMaxReadForOneMoment);
  RecordingFeed first = feed(&local_);
  screen(first, 10);  // derives
  RecordingFeed jumping = feed(&local_);
  ASSERT_FALSE(screen(jumping, 20'000).empty());
  const size_t with_deriving = read_;
  read_ = 0;
  ASSERT_TRUE(jumping.rewind());
  screen(jumping, 15'000);
  EXPECT_LE(read_, kMaxReadForOneMoment);
  EXPECT_GT(with_deriving, kMaxReadForOneMoment) << "the check can fail";
}

TEST_F(Seeking, GoesBackAndForthInOnePlayback) {
  RecordingFeed jumping = feed(&local_);
  LateFeed late(&jumping, 20'000 * kSecond);
  const auto next_line = [&] {
    std::string shown;
    for (int outputs = 0; outputs < 2;) {  // the picture, then the first line after it
      const Result<EventFeed::Step> step = late.next(std::chrono::milliseconds(0));
      if (!step || step->state != EventFeed::State::kEvent) return std::string("nothing");
      if (step->event.has_output() && ++outputs == 2) shown = step->event.output().data();
    }
    return shown.substr(49);
  };
  EXPECT_EQ(next_line(), "line 19999\r\n");
  ASSERT_TRUE(late.seek(500 * kSecond));
  EXPECT_EQ(next_line(), "line 499\r\n");
  ASSERT_TRUE(late.seek(23'000 * kSecond));
  EXPECT_EQ(next_line(), "line 22999\r\n");
}

TEST_F(Seeking, GoesOnSlowlyWhereNothingCanBeDerived) {
  const LocalDerivation nowhere("/proc/nowhere");
  RecordingFeed playing = feed(&nowhere);
  EXPECT_THAT(screen(playing, 20'000), testing::HasSubstr("line 19998"));
  EXPECT_FALSE(playing.has_jumped());
}

}  // namespace
}  // namespace cairn::cli
