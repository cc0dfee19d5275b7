// Recordings that auth has recompressed: what stays as it was, who notices when they are altered, and what a crash or a
// failing disk leaves.
#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

#include "auth/recordings/recompressions.h"
#include "auth/tests/evidence_fixture.h"
#include "recorder/crc32c.h"
#include "recorder/recording_decoder.h"
#include "recorder/summary.h"
#include "tests/support/faulty_disk.h"
#include "tests/support/long_form.h"

namespace cairn::auth {
namespace {

using Archiving = Recordings::Archiving;

constexpr uint64_t kFirstArchived = 1;

class Archived : public Evidence {
 protected:
  const std::string& id() const { return archive_.recording.session_id; }
  Result<Archiving> recompress() { return archive_.recordings->recompress(id()); }

  // What a reader with the key gets.
  std::vector<std::string> events(std::string_view bytes) {
    std::vector<std::string> all;
    recorder::RecordingDecoder decoder(
        [this](const recorder::Opening& opening) { return archive_.keys->keys_of(opening, {}); });
    decoder.feed(bytes);
    recorder::SummaryBuilder counted;
    for (;;) {
      const Result<std::optional<recorder::Event>> event = decoder.next();
      EXPECT_TRUE(event) << message_of(event);
      if (!event || !*event) break;
      counted.add(**event);
      all.push_back((*event)->SerializeAsString());
    }
    EXPECT_TRUE(decoder.finish()) << message_of(decoder.finish());
    EXPECT_THAT(counted.finish(decoder).findings, testing::IsEmpty());
    return all;
  }

  std::string read(uint64_t layout, uint64_t offset, size_t limit) {
    return archive_.recordings->read(id(), layout, offset, limit).value().bytes;
  }
};

TEST_F(Archived, IsTheSameRecordingInFewerBytes) {
  record();
  const std::string before = evidence();
  const std::string root = verify(before).root;
  ASSERT_EQ(recompress().value(), Archiving::kDone);
  const std::string after = evidence();
  EXPECT_LT(after.size(), before.size() * 97 / 100);
  EXPECT_EQ(events(before), events(after));
  const recorder::Verification verified = verify(after);
  EXPECT_EQ(verified.integrity, Integrity::kIntact) << verified.finding;
  EXPECT_EQ(verified.root, root) << "what was signed is what is sealed still";
  EXPECT_GT(verified.archived_chunks, 2u);
  EXPECT_EQ(verified.archived_wall_s, static_cast<uint64_t>(archive_.clock.wall_s()));
  EXPECT_EQ(archive_.row().recording_bytes(), contents(archive_.file()).size());
  const std::vector<AuditEvent> told = archive_.audit("recording.recompress");
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].session_id(), id());
  EXPECT_EQ(told[0].fields().at("bytes"), std::to_string(contents(archive_.file()).size()));
  EXPECT_EQ(archive_.recordings->certificate_serial(id()).value(), verified.certificate_serial);
}

// No byte of it is exempt, and no key is needed to see it.
TEST_F(Archived, ShowsEveryFlippedBitAndInWhichChunk) {
  record();
  ASSERT_EQ(recompress().value(), Archiving::kDone);
  std::string evidence = this->evidence();
  const std::vector<size_t> offsets = recorder::chunk_offsets(evidence);
  const std::vector<size_t> lean = places_without_payload(evidence);
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (size_t n = short_or_long(400, 10'000); n > 0 && !HasFailure(); --n) {
    const size_t byte = n % 2 == 0 ? random() % evidence.size() : lean[random() % lean.size()];
    const size_t bit = byte * 8 + random() % 8;
    flip(evidence, bit);
    const recorder::Verification found = verify(evidence);
    EXPECT_EQ(found.integrity, Integrity::kAltered) << "bit " << bit << ": " << found.finding;
    const auto chunk = static_cast<uint64_t>(std::ranges::upper_bound(offsets, byte) - offsets.begin() - 1);
    if (chunk < chunks_) EXPECT_EQ(found.bad_chunk, chunk) << "bit " << bit << ": " << found.finding;
    flip(evidence, bit);
  }
  EXPECT_EQ(verify(evidence).integrity, Integrity::kIntact);
}

TEST_F(Archived, IsTruncatedWhereverItIsCut) {
  record();
  ASSERT_EQ(recompress().value(), Archiving::kDone);
  const std::string recording = contents(archive_.file());
  const std::string proof = contents(proof_file());
  std::mt19937_64 random(std::random_device{}());
  std::vector<size_t> cuts = recorder::chunk_offsets(recording);
  cuts.pop_back();
  for (const size_t at : std::vector<size_t>(cuts)) cuts.insert(cuts.end(), {at + 1, at + 168, at + 200, at + 216});
  for (const size_t cut : cuts) {
    recorder::Verifier verifier;
    verifier.feed(std::string_view(recording).substr(0, cut));
    verifier.feed_proof(proof);
    const recorder::Verification found =
        verifier.finish({.authorities_pem = archive_.authorities->public_parts().host_ca(),
                         .revocations_pem = {},
                         .timestamp_authorities_pem = {}});
    if (cut > 0) EXPECT_EQ(found.integrity, Integrity::kTruncated) << "cut at " << cut << ": " << found.finding;
  }
}

// Who alters a payload and its checksum has all of the node's signatures still.
TEST_F(Archived, IsAlteredOnceItsPayloadIsAnother) {
  record();
  ASSERT_EQ(recompress().value(), Archiving::kDone);
  const std::string evidence = this->evidence();
  const size_t begin = recorder::chunk_offsets(evidence)[kFirstArchived];
  const size_t end = recorder::chunk_offsets(evidence)[kFirstArchived + 1];
  const recorder::ChunkView chunk =
      recorder::check_chunk(std::string_view(evidence).substr(begin, end - begin)).value();
  ASSERT_TRUE(chunk.header.archived.has_value());
  // As encode_archived() makes it, of a payload that was chosen: its checksums are right.
  std::string payload(chunk.payload);
  payload.back() = static_cast<char>(~payload.back());
  std::string forged = recorder::encode_archived(chunk, payload);
  std::ranges::copy(chunk.header.archived->written_payload, forged.begin() + recorder::kChunkHeaderBytes);
  const size_t facts = recorder::kChunkHeaderBytes;
  write_le32(forged.data() + facts + 44, recorder::crc32c(std::string_view(forged).substr(facts, 44)));
  ASSERT_TRUE(recorder::check_chunk(forged)) << "no checksum tells";
  const recorder::Verification found = verify(evidence.substr(0, begin) + forged + evidence.substr(end));
  EXPECT_EQ(found.integrity, Integrity::kAltered) << found.finding;
  EXPECT_EQ(found.bad_chunk, kFirstArchived);
  EXPECT_THAT(found.finding, testing::HasSubstr("not what auth had recompressed"));
}

TEST_F(Archived, IsUnprovedWithoutAuthsWord) {
  record();
  const std::string proof_before = contents(proof_file());
  ASSERT_EQ(recompress().value(), Archiving::kDone);
  const recorder::Verification found = verify(contents(archive_.file()) + proof_before);
  EXPECT_EQ(found.integrity, Integrity::kUnproved);
  EXPECT_THAT(found.finding, testing::HasSubstr("nobody has signed how they lie now"));
}

TEST_F(Archived, IsReadToTheEndByWhoBeganBefore) {
  record();
  const std::string before = evidence();
  const std::string start = read(0, 0, 1000);
  ASSERT_EQ(recompress().value(), Archiving::kDone);
  const std::string rest = read(0, 1000, before.size());
  EXPECT_EQ(start + rest, before.substr(0, 1000 + rest.size()));
  const uint64_t recording_bytes = archive_.recordings->read(id(), 0, 1000, 1)->recording_bytes;
  EXPECT_EQ(verify(before.substr(0, recording_bytes) + read(0, recording_bytes, 1 << 20)).integrity, Integrity::kIntact)
      << "the proof that lies behind fits the old form too";

  const uint64_t layout = archive_.recordings->read(id(), 0, 0, 1)->layout;
  EXPECT_EQ(layout, contents(archive_.file()).size());
  EXPECT_EQ(read(layout, 1000, 500), evidence().substr(1000, 500));
  archive_.recordings->forget_replaced(std::chrono::seconds(0));
  const Result<Recordings::Part> late = archive_.recordings->read(id(), 0, 1000, 1);
  EXPECT_EQ(code_of(late), Errc::kInvalid);
  EXPECT_THAT(message_of(late), testing::HasSubstr("begin again"));
}

TEST_F(Archived, IsFoundByTheSameMoments) {
  record();
  ASSERT_TRUE(archive_.derivations->read(id(), false, after(std::chrono::seconds(60))));
  ASSERT_EQ(recompress().value(), Archiving::kDone);
  const std::string now = contents(archive_.file());
  const std::vector<size_t> offsets = recorder::chunk_offsets(now);
  v1::Request request;
  request.mutable_find_moment()->set_session_id(id());
  request.mutable_find_moment()->set_at_ns(UINT64_MAX / 2);
  request.mutable_find_moment()->set_layout(now.size());
  const v1::Response response = archive_.as_root(request);
  ASSERT_TRUE(response.has_find_moment()) << response.error().message();
  EXPECT_EQ(response.find_moment().offset(), offsets[response.find_moment().chunk()]);
}

TEST_F(Archived, IsNotWhatIsHeldDeletedOrLive) {
  {
    recorder::RecordingWriter writer = make_writer();
    recorder::fill_and_seal(writer, recorder::LogLines(1), kFileBytes);
  }
  const std::string whole = contents(spool_file());
  const std::vector<size_t> offsets = recorder::chunk_offsets(whole);
  ASSERT_TRUE(archive_.upload(0, whole.substr(0, offsets[1])));
  EXPECT_EQ(recompress().value(), Archiving::kNotNow) << "live";
  upload(whole);
  v1::Hold hold;
  hold.set_since_wall_s(1);
  hold.set_by("root");
  ASSERT_TRUE(archive_.store->hold_recording(id(), hold, {}));
  EXPECT_EQ(recompress().value(), Archiving::kNotNow);
  EXPECT_THAT(archive_.store->unarchived_recordings(INT64_MAX, 10).value(), testing::IsEmpty());
  ASSERT_TRUE(archive_.store->release_recording(id(), {}));
  EXPECT_THAT(archive_.store->unarchived_recordings(INT64_MAX, 10).value(), testing::ElementsAre(id()));
  EXPECT_THAT(archive_.store->unarchived_recordings(archive_.row().end_wall_s() - 1, 10).value(), testing::IsEmpty());
  EXPECT_EQ(contents(archive_.file()), whole);
  ASSERT_EQ(recompress().value(), Archiving::kDone);
  EXPECT_THAT(archive_.store->unarchived_recordings(INT64_MAX, 10).value(), testing::IsEmpty());

  Recordings::Removal removal;
  removal.session_id = id();
  removal.deletion.set_by("root");
  removal.deletion.set_wall_s(archive_.clock.wall_s());
  removal.event.set_kind("recording.delete");
  ASSERT_TRUE(archive_.recordings->remove(std::move(removal)));
  EXPECT_EQ(recompress().value(), Archiving::kNotNow);
  EXPECT_FALSE(archive_.chunks->read_replaced(id(), 0, 1)) << "nothing of it is served any more";
}

TEST_F(Archived, IsNotWhatAuthCannotRead) {
  archive_.recipients = {recorder::AgeIdentity::generate().recipient().text()};
  archive_.open();
  archive_.recording = archive_.authorized();
  record();
  const std::string before = evidence();
  EXPECT_EQ(recompress().value(), Archiving::kLeft);
  EXPECT_EQ(evidence(), before);
  EXPECT_THAT(archive_.store->unarchived_recordings(INT64_MAX, 10).value(), testing::IsEmpty());
}

TEST_F(Archived, GainsNothingWhereThereIsNothingToGain) {
  const std::vector<std::string> chunks = archive_.recording.chunks();
  for (uint64_t i = 0; i < chunks.size(); ++i) ASSERT_TRUE(archive_.upload(i, chunks[i]));
  EXPECT_EQ(recompress().value(), Archiving::kLeft);
  EXPECT_EQ(contents(archive_.file()), joined(chunks));
}

TEST_F(Archived, IsRefusedFromANode) {
  record();
  ASSERT_EQ(recompress().value(), Archiving::kDone);
  const std::string archived = contents(archive_.file());
  const std::vector<size_t> offsets = recorder::chunk_offsets(archived);
  ASSERT_TRUE(archive_.chunks->remove({id()}));
  archive_.open();
  const auto chunk = [&](uint64_t number) {
    return archived.substr(offsets[number], offsets[number + 1] - offsets[number]);
  };
  for (uint64_t number = 0; number < kFirstArchived; ++number) ASSERT_TRUE(archive_.upload(number, chunk(number)));
  const Result<RecordingState> refused = archive_.upload(kFirstArchived, chunk(kFirstArchived));
  EXPECT_EQ(code_of(refused), Errc::kInvalid);
  EXPECT_THAT(message_of(refused), testing::HasSubstr("nodes archive nothing"));
}

// The database is older than the files.
TEST_F(Archived, CatchesUpAfterACrash) {
  record();
  const std::filesystem::path now = archive_.folder.path() / "auth.db";
  const std::filesystem::path older = archive_.folder.path() / "older.db";
  archive_.store.reset();  // all of it is in the one file then
  std::filesystem::copy_file(now, older);
  archive_.open();
  ASSERT_EQ(recompress().value(), Archiving::kDone);
  const std::string bytes = evidence();
  archive_.store.reset();
  std::filesystem::copy_file(older, now, std::filesystem::copy_options::overwrite_existing);
  archive_.open();
  ASSERT_TRUE(archive_.recordings->reconcile());
  ASSERT_TRUE(archive_.audit("recording.recompress").empty());
  EXPECT_EQ(recompress().value(), Archiving::kDone);
  EXPECT_EQ(evidence(), bytes);
  EXPECT_EQ(archive_.audit("recording.recompress").size(), 1u);
  EXPECT_EQ(archive_.row().recording_bytes(), contents(archive_.file()).size());
  EXPECT_EQ(verify(evidence()).integrity, Integrity::kIntact);
}

TEST_F(Archived, ComesInTheBackgroundWhenItsTimeHasCome) {
  record();
  archive_.clock.advance_s(100'000'000);
  {
    const Recompressions never(archive_.store.get(), archive_.recordings.get(), &archive_.clock,
                               std::chrono::seconds(0), archive_.log);
  }
  EXPECT_FALSE(archive_.recordings->state(id())->is_archived);
  const Recompressions soon(archive_.store.get(), archive_.recordings.get(), &archive_.clock, std::chrono::seconds(1),
                            archive_.log);
  const Deadline deadline = after(std::chrono::seconds(60));
  while (archive_.audit("recording.recompress").empty() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  EXPECT_TRUE(archive_.recordings->state(id())->is_archived);
}

// Every operation on the disk fails once, in every way; then power is lost.
class ArchivedOnABadDisk : public Archived, public testing::WithParamInterface<DiskFault> {};

TEST_P(ArchivedOnABadDisk, IsOneOfTheTwoWhole) {
  record(uint64_t{256} << 10);
  const std::string before = evidence();
  const std::vector<std::string> seen = events(before);
  const std::filesystem::path folder = archive_.folder.path() / "recordings";
  const std::string original = contents(archive_.file());
  const std::string proof = contents(proof_file());
  uint64_t runs = 0;
  for (uint64_t nth = 1; !HasFailure(); ++nth) {
    ASSERT_TRUE(write_file_atomically(archive_.file(), original, 0600));
    ASSERT_TRUE(write_file_atomically(proof_file(), proof, 0600));
    archive_.open();
    FaultyDisk disk(folder);
    disk.fail(GetParam(), nth);
    static_cast<void>(recompress().has_value());
    const bool is_done = disk.operations() < nth;
    runs += disk.failures();
    SCOPED_TRACE(testing::Message() << "operation " << nth << ", " << disk.first_failure());
    disk.heal();
    archive_.chunks = nullptr;
    disk.lose_power();
    archive_.open();
    const std::string left = evidence();
    EXPECT_EQ(verify(left).integrity, Integrity::kIntact) << verify(left).finding;
    EXPECT_EQ(events(left), seen);
    EXPECT_EQ(recompress().value(), Archiving::kDone);
    EXPECT_TRUE(archive_.recordings->state(id())->is_archived);
    EXPECT_EQ(verify(evidence()).integrity, Integrity::kIntact);
    if (is_done) break;
  }
  EXPECT_GT(runs, 0u) << "hardly a fault was met";
}

INSTANTIATE_TEST_SUITE_P(EachWay, ArchivedOnABadDisk, testing::ValuesIn(kAllDiskFaults),
                         [](const auto& fault) { return std::string(name_of(fault.param)); });

}  // namespace
}  // namespace cairn::auth
