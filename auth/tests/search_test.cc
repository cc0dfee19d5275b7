// What auth derives from recordings, and answers from it.
#include <gmock/gmock.h>

#include <fstream>

#include "auth/tests/recording_fixture.h"
#include "recorder/derive/deriver.h"

namespace cairn::auth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Search : public testing::Test {
 protected:
  v1::SearchRecordingsResponse page(const Subject& who, const v1::SearchRecordingsRequest& wanted) {
    v1::Request request;
    *request.mutable_search_recordings() = wanted;
    const v1::Response response = archive_.ask(who, request);
    EXPECT_TRUE(response.has_search_recordings()) << response.error().message();
    return response.search_recordings();
  }

  // All pages; "seconds: line".
  std::vector<std::string> grep(const Subject& who, const std::string& pattern, uint32_t limit = 0,
                                derived::v1::Source source = derived::v1::SOURCE_OUTPUT) {
    v1::SearchRecordingsRequest request;
    request.set_pattern(pattern);
    request.set_limit(limit);
    request.add_sources(source);
    std::vector<std::string> lines;
    searched_ = 0;
    errors_.clear();
    do {
      const v1::SearchRecordingsResponse found = page(who, request);
      for (const auto& each : found.found()) {
        if (!each.error().empty()) errors_.push_back(each.error());
        for (const auto& line : each.lines()) lines.push_back(fmt::format("{}: {}", line.at_ms() / 1000, line.text()));
      }
      searched_ += found.searched();
      request.set_page_token(found.next_page_token());
    } while (!request.page_token().empty());
    return lines;
  }

  void upload_all(const std::vector<std::string>& chunks) {
    for (uint64_t i = 0; i < chunks.size(); ++i) ASSERT_TRUE(archive_.upload(i, chunks[i]));
  }

  v1::Response find(uint64_t at_s, v1::FindMomentRequest::Step step = v1::FindMomentRequest::STEP_HERE) {
    v1::Request request;
    request.mutable_find_moment()->set_session_id(archive_.recording.session_id);
    request.mutable_find_moment()->set_at_ns(at_s * kNsPerS);
    request.mutable_find_moment()->set_step(step);
    // As the client does: on a busy host it takes a while.
    for (int attempt = 1;; ++attempt) {
      v1::Response response = archive_.ask(alice_, request);
      if (response.error().code() != v1::ERROR_CODE_UNAVAILABLE || attempt == 20) return response;
    }
  }

  Archive archive_;
  const Subject alice_ = Auth::user("alice");
  uint32_t searched_ = 0;
  std::vector<std::string> errors_;
};

TEST_F(Search, FindsWhatWasOnTheScreenWithItsTime) {
  upload_all(archive_.recording.chunks(5));
  EXPECT_THAT(grep(alice_, "^line [24]$"), ElementsAre("2: line 2", "4: line 4"));
  EXPECT_EQ(searched_, 1u);
  EXPECT_THAT(grep(alice_, "nowhere"), IsEmpty());
}

TEST_F(Search, GoesOnPageByPageAndOmitsNothing) {
  upload_all(archive_.recording.chunks(5));
  archive_.recording = archive_.authorized();
  upload_all(archive_.recording.chunks(4));
  EXPECT_EQ(grep(alice_, "line", 1), grep(alice_, "line"));
  EXPECT_EQ(grep(alice_, "line", 2).size(), 9u);
  EXPECT_EQ(searched_, 2u);
}

TEST_F(Search, SeesALiveRecordingGrow) {
  const std::vector<std::string> chunks = archive_.recording.chunks(3);
  for (uint64_t i = 0; i < 2; ++i) ASSERT_TRUE(archive_.upload(i, chunks[i]));
  EXPECT_THAT(grep(alice_, "line"), ElementsAre("1: line 1")) << "it stands on the screen";
  ASSERT_TRUE(archive_.upload(2, chunks[2]));
  EXPECT_THAT(grep(alice_, "line"), ElementsAre("1: line 1", "2: line 2"));
}

TEST_F(Search, ShowsNobodyWhatIsNotTheirs) {
  upload_all(archive_.recording.chunks(2));
  archive_.put_role("viewer", {}, {}, {});
  archive_.put_user("bob", {"viewer"});
  EXPECT_THAT(grep(Auth::user("bob"), "line"), IsEmpty());
  EXPECT_EQ(searched_, 0u);
  v1::Request request;
  request.mutable_search_recordings()->set_pattern("line");
  request.mutable_search_recordings()->set_session_id(archive_.recording.session_id);
  EXPECT_EQ(archive_.ask(Auth::user("bob"), request).error().code(), v1::ERROR_CODE_DENIED);
  request.mutable_search_recordings()->clear_session_id();
  request.mutable_search_recordings()->set_user("alice");
  EXPECT_EQ(archive_.ask(Auth::user("bob"), request).error().code(), v1::ERROR_CODE_DENIED);
  request.Clear();
  request.mutable_find_moment()->set_session_id(archive_.recording.session_id);
  EXPECT_EQ(archive_.ask(Auth::user("bob"), request).error().code(), v1::ERROR_CODE_DENIED);
}

TEST_F(Search, IsOnRecordOnceNotPageByPage) {
  upload_all(archive_.recording.chunks(4));
  grep(alice_, "line", 1);
  const std::vector<AuditEvent> events = archive_.audit("recording.search");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].user(), "alice");
  EXPECT_EQ(events[0].fields().at("pattern"), "line");
}

TEST_F(Search, RefusesAPatternAndATokenThatMakeNoSense) {
  v1::Request request;
  request.mutable_search_recordings()->set_pattern("(");
  EXPECT_THAT(archive_.ask(alice_, request).error().message(), HasSubstr("the pattern"));
  request.mutable_search_recordings()->set_pattern("a");
  for (const char* token : {"x", "1", "1:2", "1:2:", "1:2:3", ":::", "1:2:3:4"}) {
    request.mutable_search_recordings()->set_page_token(token);
    EXPECT_EQ(archive_.ask(alice_, request).error().code(), v1::ERROR_CODE_INVALID) << token;
  }
}

TEST_F(Search, SaysOfADamagedRecordingThatItIs) {
  upload_all(archive_.recording.chunks(3));
  {
    std::fstream file(archive_.file(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(archive_.recording.chunk(0, {archive_.recording.begin()}).size() + 200));
    file << "damage";
  }
  std::filesystem::remove_all(archive_.folder.path() / "derived");
  archive_.open();
  EXPECT_THAT(grep(alice_, "line"), IsEmpty());
  EXPECT_THAT(errors_, ElementsAre(HasSubstr("chunk 1")));
}

TEST_F(Search, BeginsAnewWhereWhatWasDerivedIsDamagedOrGone) {
  upload_all(archive_.recording.chunks(3));
  EXPECT_EQ(grep(alice_, "line").size(), 3u) << testing::PrintToString(errors_);
  const std::filesystem::path derived =
      archive_.folder.path() / "derived" / (archive_.recording.session_id + ".derived");
  ASSERT_TRUE(std::filesystem::exists(derived));
  std::filesystem::resize_file(derived, 100);
  EXPECT_EQ(grep(alice_, "line").size(), 3u) << testing::PrintToString(errors_);
  std::filesystem::remove(derived);
  EXPECT_EQ(grep(alice_, "line").size(), 3u) << testing::PrintToString(errors_);
}

TEST_F(Search, FindsTheChunkBeforeAMoment) {
  upload_all(archive_.recording.chunks(5));
  const v1::Response response = find(4);
  ASSERT_TRUE(response.has_find_moment()) << response.error().message();
  EXPECT_TRUE(response.find_moment().found());
  EXPECT_EQ(response.find_moment().chunk(), 4u);
  const Result<recorder::Keyframe> keyframe = recorder::read_keyframe(response.find_moment().keyframe());
  ASSERT_TRUE(keyframe) << keyframe.error().message;
  EXPECT_THAT(keyframe->track.screen().drawing(), HasSubstr("line 3"));
  EXPECT_EQ(archive_.audit("recording.read").size(), 1u) << "it shows the screen";
}

TEST_F(Search, StepsFromCommandToCommand) {
  upload_all(archive_.recording.chunks(5, "make all"));
  const v1::Response next = find(0, v1::FindMomentRequest::STEP_NEXT_COMMAND);
  EXPECT_TRUE(next.find_moment().found());
  EXPECT_EQ(next.find_moment().at_ns(), 1'000u) << "where the channel was opened";
  EXPECT_FALSE(find(3'000, v1::FindMomentRequest::STEP_NEXT_COMMAND).find_moment().found());
  EXPECT_EQ(find(3'000, v1::FindMomentRequest::STEP_PREVIOUS_COMMAND).find_moment().at_ns(), 1'000u);
}

}  // namespace
}  // namespace cairn::auth
