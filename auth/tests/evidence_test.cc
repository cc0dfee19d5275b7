// One bit changed anywhere in what proves a session, and how the verifier of "cairn recordings verify" finds it.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "auth/tests/evidence_fixture.h"
#include "tests/support/long_form.h"

namespace cairn::auth {
namespace {

size_t last_record_bytes(std::string_view tail) {
  size_t last = 0;
  while (!tail.empty()) {
    last = recorder::parse_tail_record(tail).value().bytes.size();
    tail.remove_prefix(last);
  }
  return last;
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
