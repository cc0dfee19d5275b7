#include "agent/upload/spool_reader.h"

#include "agent/tests/upload/spool_fixture.h"

namespace cairn::agent {
namespace {

class SpoolReaderOnARecording : public SpoolFixture {
 protected:
  SpoolReader open() const {
    Result<SpoolReader> reader = SpoolReader::open(path_of(id_));
    if (!reader) std::abort();
    return std::move(*reader);
  }

  const std::string id_ = random_uuid();
};

TEST_F(SpoolReaderOnARecording, GivesEveryChunkAsItLiesInTheFile) {
  const std::string whole = make_sealed(id_, 3);
  SpoolReader reader = open();
  std::string read;
  bool has_final = false;
  while (!has_final) {
    const Result<std::optional<SpooledChunk>> chunk = reader.next();
    ASSERT_TRUE(chunk) << chunk.error().message;
    ASSERT_TRUE(chunk->has_value());
    read += (*chunk)->bytes;
    has_final = (*chunk)->header.is_final();
  }
  EXPECT_EQ(read, whole);
}

TEST_F(SpoolReaderOnARecording, WaitsForTheRestOfAChunkThatIsBeingWritten) {
  const std::string whole = make_sealed(id_, 1);
  write(id_, whole.substr(0, whole.size() - 1));
  SpoolReader reader = open();
  uint64_t chunks = 0;
  for (;;) {
    const Result<std::optional<SpooledChunk>> chunk = reader.next();
    ASSERT_TRUE(chunk) << chunk.error().message;
    if (!chunk->has_value()) break;
    chunks++;
  }
  const Result<SpoolSurvey> survey = reader.survey();
  ASSERT_TRUE(survey);
  EXPECT_EQ(survey->chunks, chunks);
  EXPECT_FALSE(survey->is_sealed());
}

TEST_F(SpoolReaderOnARecording, GoesToAnyChunkAndSaysWhenThereAreNotThatMany) {
  make_sealed(id_, 3);
  SpoolReader reader = open();
  ASSERT_TRUE(reader.seek(2));
  const Result<std::optional<SpooledChunk>> chunk = reader.next();
  ASSERT_TRUE(chunk && chunk->has_value());
  EXPECT_EQ((*chunk)->header.number, 2u);
  EXPECT_EQ(reader.seek(99).error().code, Errc::kTruncated);
  EXPECT_TRUE(reader.seek(0));
}

TEST_F(SpoolReaderOnARecording, RefusesAChunkOfAnotherSession) {
  const std::string other = random_uuid();
  write(id_, make_sealed(other, 1));
  SpoolReader reader = open();
  EXPECT_EQ(reader.next().error().code, Errc::kCorrupt);
}

TEST_F(SpoolReaderOnARecording, RefusesAFlippedBit) {
  std::string bytes = make_sealed(id_, 1);
  bytes[recorder::kChunkHeaderBytes + 5] = static_cast<char>(bytes[recorder::kChunkHeaderBytes + 5] ^ 1);
  write(id_, bytes);
  SpoolReader reader = open();
  EXPECT_EQ(reader.next().error().code, Errc::kCorrupt);
}

TEST_F(SpoolReaderOnARecording, DoesNotTakeAFinalChunkWithoutItsContentsForASeal) {
  std::string bytes = make_sealed(id_, 1);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  write(id_, bytes);
  const Result<SpoolSurvey> survey = open().survey();
  EXPECT_TRUE(!survey || !survey->is_sealed());
}

TEST_F(SpoolReaderOnARecording, KnowsWhoseItIs) {
  make_sealed(id_, 1);
  const Result<recorder::Begin> begin = open().begin();
  ASSERT_TRUE(begin) << begin.error().message;
  EXPECT_EQ(begin->session_key(), kSessionKey);
}

TEST_F(SpoolReaderOnARecording, RefusesAFileNotNamedForASession) {
  EXPECT_EQ(SpoolReader::open(folder_ / "passwd.rec").error().code, Errc::kInvalid);
}

}  // namespace
}  // namespace cairn::agent
