// One bit changed anywhere in what proves a session, and how the verifier of "cairn recordings verify" finds it.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "auth/tests/recording_fixture.h"
#include "base/file.h"
#include "recorder/recording_decoder.h"
#include "recorder/recording_writer.h"
#include "recorder/tail_file.h"
#include "recorder/tail_record.h"
#include "recorder/tests/busy_recording.h"
#include "recorder/verification.h"
#include "tests/support/long_form.h"

namespace cairn::auth {
namespace {

using recorder::Integrity;
using recorder::TailFile;

constexpr uint64_t kFileBytes = uint64_t{1} << 20;

// A session's recording as its worker writes it and as it lies at auth, sealed and proved.
class Evidence : public testing::Test {
 protected:
  std::filesystem::path spool_file() const { return archive_.folder.path() / (archive_.recording.session_id + ".rec"); }
  static std::string contents(const std::filesystem::path& path) { return read_file(path, size_t{1} << 28).value(); }

  recorder::RecordingWriter make_writer() {
    recorder::RecordingOptions options;
    const auto recipient = recorder::AgeRecipient::parse(archive_.keys->recipients()[0]).value();
    options.keys = std::make_unique<const recorder::RecordingKeys>(recorder::RecordingKeys::make({recipient}));
    options.signer.emplace(std::move(archive_.signing_key), archive_.recording.certificate);
    recorder::Begin begin = archive_.recording.begin().begin();
    begin.set_cluster(archive_.cluster);
    return recorder::RecordingWriter::create(spool_file(), begin, recorder::kStartNs, std::move(options)).value();
  }

  // `count` pieces in the tail, each committed.
  static void write_lines(recorder::RecordingWriter& writer, uint64_t count) {
    recorder::LogLines lines(count);
    for (uint64_t n = 1; n <= count; ++n) {
      writer.add(recorder::make_output(recorder::kStartNs + n * recorder::kMs, lines.next()));
      const Result<void> flushed = writer.flush_all(recorder::kStartNs + n * recorder::kMs);
      ASSERT_TRUE(flushed) << flushed.error().message;
    }
  }

  // All that there is now, as the agent sends it.
  void upload(std::string_view recording) {
    for (uint64_t number = 0; !recording.empty(); ++number) {
      const std::string chunk(recording.substr(0, recorder::parse_chunk_header(recording).value().size()));
      const Result<RecordingState> stored = archive_.upload(number, chunk);
      ASSERT_TRUE(stored) << stored.error().message;
      recording.remove_prefix(chunk.size());
      chunks_ = number + 1;
    }
    const recorder::TailContents tail = recorder::read_tail(contents(TailFile::path_for(spool_file())), chunks_);
    v1::UploadTailRequest last;
    last.set_session_id(archive_.recording.session_id);
    last.set_chunk(chunks_);
    last.set_start(tail.start);
    last.set_pieces(tail.pieces);
    last.set_checkpoint(tail.checkpoint);
    const Result<uint64_t> taken = archive_.recordings->upload_tail(archive_.node.id, last);
    ASSERT_TRUE(taken) << taken.error().message;
  }

  std::filesystem::path proof_file() const {
    return std::filesystem::path(archive_.file()).replace_extension(".proof");
  }

  recorder::Verification verify(std::string_view evidence) const {
    recorder::Verifier verifier;
    verifier.feed(evidence);
    return verifier.finish({.authorities_pem = archive_.authorities->public_parts().host_ca(),
                            .revocations_pem = {},
                            .timestamp_authorities_pem = {}});
  }

  Archive archive_;
  uint64_t chunks_ = 0;
};

size_t last_record_bytes(std::string_view tail) {
  size_t last = 0;
  while (!tail.empty()) {
    last = recorder::parse_tail_record(tail).value().bytes.size();
    tail.remove_prefix(last);
  }
  return last;
}

void flip(std::string& bytes, size_t bit) { bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8))); }

// Whether the byte at `at` lies in what is not payload of events: headers, metas, the first and the last chunk, the
// proof. Little, so it gets flips of its own.
std::vector<size_t> places_without_payload(std::string_view evidence) {
  std::vector<size_t> places;
  for (size_t at = 0; at < evidence.size();) {
    const recorder::ChunkHeader header = recorder::parse_chunk_header(evidence.substr(at)).value();
    const bool is_events = header.type == recorder::ChunkType::kEvents;
    const size_t bytes = is_events ? recorder::kChunkHeaderBytes + header.meta_bytes : header.size();
    for (size_t i = 0; i < bytes; ++i) places.push_back(at + i);
    at += header.size();
  }
  return places;
}

// No byte of recording and proof is exempt.
TEST_F(Evidence, ShowsEveryFlippedBitAndInWhichChunk) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  {
    recorder::RecordingWriter writer = make_writer();
    recorder::fill_and_seal(writer, recorder::LogLines(seed), kFileBytes);
  }
  upload(contents(spool_file()));
  std::string evidence = contents(archive_.file()) + contents(proof_file());
  const recorder::Verification intact = verify(evidence);
  ASSERT_EQ(intact.integrity, Integrity::kIntact) << intact.finding;
  ASSERT_EQ(intact.session_signed_chunks, chunks_);

  const std::vector<size_t> offsets = recorder::chunk_offsets(evidence);
  const std::vector<size_t> lean = places_without_payload(evidence);
  for (size_t n = short_or_long(400, 10'000); n > 0 && !HasFailure(); --n) {
    const size_t byte = n % 2 == 0 ? random() % evidence.size() : lean[random() % lean.size()];
    const size_t bit = byte * 8 + random() % 8;
    flip(evidence, bit);
    const recorder::Verification found = verify(evidence);
    EXPECT_EQ(found.integrity, Integrity::kAltered)
        << "bit " << bit << ": " << recorder::integrity_name(found.integrity) << ", " << found.finding;
    const auto chunk = static_cast<uint64_t>(std::ranges::upper_bound(offsets, byte) - offsets.begin() - 1);
    if (chunk < chunks_) EXPECT_EQ(found.bad_chunk, chunk) << "bit " << bit << ": " << found.finding;
    flip(evidence, bit);
  }
  EXPECT_EQ(verify(evidence).integrity, Integrity::kIntact);
}

// What a tail holds is believed up to the first record that is not whole, and nothing in it is taken for something
// else.
TEST_F(Evidence, OfATailIsReadUpToTheFlippedBit) {
  recorder::RecordingWriter writer = make_writer();
  write_lines(writer, 40);
  const std::string good = contents(TailFile::path_for(spool_file()));
  const recorder::TailContents whole = recorder::read_tail(good, 1);
  ASSERT_FALSE(whole.pieces.empty());
  std::set<std::string> checkpoints = {""};
  for (size_t at = 0; at < good.size(); ++at) checkpoints.insert(recorder::read_tail(good.substr(0, at), 1).checkpoint);
  checkpoints.insert(whole.checkpoint);
  for (size_t bit = 0; bit < good.size() * 8 && !HasFailure(); ++bit) {
    std::string bad = good;
    flip(bad, bit);
    const recorder::TailContents read = recorder::read_tail(bad, 1);
    EXPECT_TRUE(read.start.empty() || read.start == whole.start) << "bit " << bit;
    EXPECT_TRUE(whole.pieces.starts_with(read.pieces)) << "bit " << bit;
    EXPECT_TRUE(checkpoints.contains(read.checkpoint)) << "bit " << bit;
    EXPECT_FALSE(read.pieces == whole.pieces && read.checkpoint == whole.checkpoint) << "bit " << bit;
  }
}

// A worker dies; its tail rots before the recording is closed from it. Auth had seen more, and knows.
TEST_F(Evidence, OfATailThatAuthHadSeenIsMissed) {
  std::mt19937_64 random(std::random_device{}());
  for (size_t n = short_or_long(10, 300); n > 0 && !HasFailure(); --n) {
    archive_.signing_key = recorder::Ed25519Key::generate();
    archive_.recording = archive_.authorized();
    {
      recorder::RecordingWriter writer = make_writer();
      write_lines(writer, 20);
      upload(contents(spool_file()));
    }
    const std::filesystem::path tail_file = TailFile::path_for(spool_file());
    std::string tail = contents(tail_file);
    const size_t pieces_bytes = tail.size() - last_record_bytes(tail);  // a checkpoint ends it, and auth has that
    const size_t bit = random() % (pieces_bytes * 8);
    SCOPED_TRACE(testing::Message() << "bit " << bit);
    flip(tail, bit);
    ASSERT_TRUE(write_file_atomically(tail_file, tail, 0600));
    ASSERT_TRUE(recorder::close_interrupted(spool_file(), recorder::kStartNs + kNsPerS, "", 0));
    upload(contents(spool_file()));
    const recorder::Verification found = verify(contents(archive_.file()) + contents(proof_file()));
    EXPECT_EQ(found.integrity, Integrity::kAltered) << found.finding;
  }
}

}  // namespace
}  // namespace cairn::auth
