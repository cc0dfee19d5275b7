// A recording that is encrypted and signed: who can read it, what is on the disk, and what the signatures say.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include "base/bytes.h"
#include "recorder/proof/checkpoint.h"
#include "recorder/proof/merkle.h"
#include "recorder/proof/note.h"
#include "recorder/summary.h"
#include "recorder/tail_file.h"
#include "recorder/tail_record.h"
#include "recorder/tests/test_recording.h"

namespace cairn::recorder {
namespace {

constexpr std::string_view kSecretText = "the secret that was typed";

class SealedRecording : public RecordingFolder {
 protected:
  RecordingOptions sealed() {
    Ed25519Key key = Ed25519Key::generate();
    signing_key_ = key.public_bytes();
    RecordingOptions options;
    options.keys = std::make_unique<const RecordingKeys>(RecordingKeys::make(recipients()));
    options.signer.emplace(std::move(key), "a certificate");
    return options;
  }
  static Unlock with(const Identity& identity) {
    return [&identity](const Opening& opening) -> Result<std::shared_ptr<const RecordingKeys>> {
      Result<RecordingKeys> keys = open_secret(opening.sealed_secret(), {&identity, 1});
      if (!keys) return fail(keys);
      return std::make_shared<const RecordingKeys>(std::move(*keys));
    };
  }
  std::string tail() const { return contents(TailFile::path_for(path_)); }
  Checkpoint last_checkpoint(uint64_t chunk) const {
    const SignedNote note = parse_note(read_tail(tail(), chunk).checkpoint).value();
    const std::string origin = recording_origin("", std::string(kSession));
    EXPECT_TRUE(is_signed_by(note, {.name = origin, .public_key = signing_key_}));
    return parse_checkpoint(note.text).value();
  }
  // The root over the chunks of a recording, by way of their headers alone.
  static std::string root_of(std::string_view bytes) {
    MerkleFrontier tree;
    for (size_t at = 0; at < bytes.size();) {
      const size_t size = parse_chunk_header(bytes.substr(at)).value().size();
      tree.add(leaf_hash(check_chunk(bytes.substr(at, size)).value()));
      at += size;
    }
    return tree.root();
  }

  std::vector<Recipient> recipients() const {
    if (is_cms_alone_) return {recipient_of(cms_)};
    return {recipient_of(auditor_), recipient_of(cluster_), recipient_of(cms_)};
  }

  Identity auditor_ = AgeIdentity::generate();
  Identity cluster_ = AgeIdentity::generate();
  Identity cms_ = CmsIdentity::generate();
  bool is_cms_alone_ = false;
  std::string signing_key_;
};

TEST_F(SealedRecording, IsReadByEachRecipientAndByNobodyElse) {
  const std::string bytes = make_small_recording(sealed());
  EXPECT_EQ(bytes.find("line 1"), std::string::npos);
  for (const Identity* identity : {&auditor_, &cluster_, &cms_}) {
    const Played played = play(bytes, 4096, with(*identity));
    ASSERT_TRUE(played.end) << played.end.error().message;
    EXPECT_EQ(played.events.size(), 8u);
  }
  const Identity stranger = AgeIdentity::generate();
  for (const Played& played : {play(bytes), play(bytes, 4096, with(stranger))}) {
    ASSERT_FALSE(played.end);
    EXPECT_EQ(code_of(played.end), Errc::kDenied);
    ASSERT_EQ(played.events.size(), 1u) << "whose recording it is lies open";
  }
}

TEST_F(SealedRecording, IsDecryptedByAgeAndZstd) {
  const std::string bytes = make_small_recording(sealed());
  const size_t second = parse_chunk_header(bytes).value().size();
  const ChunkHeader header = parse_chunk_header(std::string_view(bytes).substr(second)).value();
  const ChunkView chunk = check_chunk(std::string_view(bytes).substr(second, header.size())).value();
  std::ofstream(folder_ / "chunk.age", std::ios::binary) << chunk.payload;
  std::ofstream(folder_ / "key", std::ios::binary) << std::get<AgeIdentity>(auditor_).text().view();
  const std::string run = "cd " + folder_.string() + " && age -d -i key chunk.age | zstd -dcq > raw";
  ASSERT_EQ(std::system(run.c_str()), 0);
  const std::string raw = contents(folder_ / "raw");
  EXPECT_EQ(raw.size(), header.raw_bytes);
  EXPECT_NE(raw.find("line 1"), std::string::npos);
}

TEST_F(SealedRecording, IsNoAgeFileWhereNobodyHasAnAgeKey) {
  is_cms_alone_ = true;
  const std::string bytes = make_small_recording(sealed());
  EXPECT_EQ(bytes.find("age-encryption"), std::string::npos);
  EXPECT_EQ(bytes.find("line 1"), std::string::npos);
  const size_t second = parse_chunk_header(bytes).value().size();
  EXPECT_EQ(parse_chunk_header(std::string_view(bytes).substr(second))->form, PayloadForm::kSealedFrame);
  const Played played = play(bytes, 4096, with(cms_));
  ASSERT_TRUE(played.end) << played.end.error().message;
  EXPECT_EQ(played.events.size(), 8u);
  for (const Identity* stranger : {&auditor_, &cluster_}) {
    EXPECT_EQ(code_of(play(bytes, 4096, with(*stranger)).end), Errc::kDenied);
  }
  EXPECT_EQ(code_of(play(bytes, 4096, with(CmsIdentity::generate())).end), Errc::kDenied);
}

TEST_F(SealedRecording, LeavesNothingReadableInTheTail) {
  RecordingWriter writer = make_writer(sealed());
  writer.add(make_output(kStartNs, kSecretText));
  ASSERT_TRUE(writer.flush_all(kStartNs + kMs));
  EXPECT_EQ(tail().find(kSecretText), std::string::npos);
  EXPECT_EQ(contents(path_).find(kSecretText), std::string::npos);
  RecordingDecoder decoder(with(auditor_));
  decoder.feed(contents(path_));
  decoder.feed_pieces(1, read_tail(tail(), 1).pieces);
  EXPECT_TRUE(decoder.next().value()->has_begin());
  EXPECT_EQ(decoder.next().value()->output().data(), kSecretText);
}

// As an archive tells it: with a chunk's last bytes comes that the tail is now another chunk's.
TEST_F(SealedRecording, GivesNothingTwiceWhenTheNextTailComesWithTheChunk) {
  RecordingWriter writer = make_writer(sealed());
  writer.add(make_output(kStartNs, "once"));
  ASSERT_TRUE(writer.flush_all(kStartNs + kMs));
  RecordingDecoder decoder(with(auditor_));
  const std::string open = contents(path_);
  decoder.feed(open);
  decoder.feed_pieces(1, read_tail(tail(), 1).pieces);
  EXPECT_TRUE(decoder.next().value()->has_begin());
  EXPECT_EQ(decoder.next().value()->output().data(), "once");
  EXPECT_EQ(decoder.next().value(), std::nullopt);
  ASSERT_TRUE(writer.seal(recording::v1::END_REASON_COMPLETE, 0, kStartNs + 2 * kMs));
  decoder.feed(contents(path_).substr(open.size()));
  decoder.feed_pieces(2, {});
  EXPECT_TRUE(decoder.next().value()->has_end());
  EXPECT_TRUE(decoder.finish());
}

TEST_F(SealedRecording, NeverUsesANonceTwice) {
  RecordingOptions options = sealed();
  options.seal_raw_bytes = 400;
  RecordingWriter writer = make_writer(std::move(options));
  std::set<std::pair<uint64_t, uint64_t>> used;
  for (uint64_t i = 0; i < 50; ++i) {
    writer.add(make_output(kStartNs + i * kMs, "x"));
    ASSERT_TRUE(writer.flush_all(kStartNs + i * kMs));
    const std::string now = tail();
    for (std::string_view rest = now; !rest.empty();) {
      const ParsedTailRecord record = parse_tail_record(rest).value();
      if (record.record.type == TailRecordType::kPiece) used.insert({record.record.chunk, record.record.counter});
      rest.remove_prefix(record.bytes.size());
    }
  }
  EXPECT_GE(used.size(), 40u) << "every piece has a counter of its own";
}

TEST_F(SealedRecording, IsSignedAsFarAsItIsDurable) {
  RecordingWriter writer = make_writer(sealed());
  writer.add(make_output(kStartNs, "one"));
  ASSERT_TRUE(writer.flush_all(ClockAnchor(kStartNs + kMs, 0, 1'700'000'000'000'000'000)));
  const Checkpoint live = last_checkpoint(1);
  EXPECT_EQ(live.size, 1u);
  EXPECT_EQ(live.root, root_of(contents(path_)));
  EXPECT_EQ(live.wall_ns, 1'700'000'000'000'000'000u);
  ASSERT_TRUE(live.open);
  const std::string pieces = read_tail(tail(), 1).pieces;
  EXPECT_EQ(live.open->chunk, 1u);
  EXPECT_EQ(live.open->bytes, pieces.size());
  EXPECT_EQ(live.open->hash, sha256(pieces));

  ASSERT_TRUE(writer.seal(recording::v1::END_REASON_COMPLETE, 0, kStartNs + 2 * kMs));
  const Checkpoint last = last_checkpoint(3);
  EXPECT_EQ(last.size, 3u);
  EXPECT_EQ(last.root, root_of(contents(path_)));
  EXPECT_FALSE(last.open);
  EXPECT_EQ(read_tail(tail(), 3).pieces, "") << "what is sealed is not kept twice";
}

// Who closes it holds no key.
TEST_F(SealedRecording, KeepsWhatADeadWriterHadInItsTail) {
  {
    RecordingWriter writer = make_writer(sealed());
    for (uint64_t i = 1; i <= 5; ++i) {
      writer.add(make_exec(kStartNs + i * kMs, i));
      writer.add(make_output(kStartNs + i * kMs, kSecretText));
      ASSERT_TRUE(writer.flush_all(kStartNs + i * kMs));
    }
  }
  const Checkpoint before = last_checkpoint(1);
  ASSERT_TRUE(close_interrupted(path_, kStartNs + 9 * kMs, "", 7));
  const std::string bytes = contents(path_);
  EXPECT_EQ(bytes.find(kSecretText), std::string::npos);
  const Played played = play(bytes, 4096, with(auditor_));
  ASSERT_TRUE(played.end) << played.end.error().message;
  const Summary summary = summarize(path_, with(auditor_)).value();
  EXPECT_EQ(summary.kernel_stored, 5u);
  EXPECT_EQ(summary.kernel_missing, 2u);
  EXPECT_TRUE(summary.is_accounted);
  EXPECT_EQ(summary.totals.output_bytes, 5 * kSecretText.size());
  EXPECT_EQ(summary.findings, std::vector<std::string>());
  // What the session had signed of the open chunk is what became of it.
  const size_t first = parse_chunk_header(bytes).value().size();
  const ChunkHeader header = parse_chunk_header(std::string_view(bytes).substr(first)).value();
  EXPECT_EQ(header.form, PayloadForm::kSealedPieces);
  const ChunkView chunk = check_chunk(std::string_view(bytes).substr(first, header.size())).value();
  EXPECT_EQ(sha256(chunk.payload.substr(0, before.open->bytes)), before.open->hash);
}

// With age recipients among others, and without any.
class SealedEitherWay : public SealedRecording, public testing::WithParamInterface<bool> {
 protected:
  SealedEitherWay() { is_cms_alone_ = GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Recipients, SealedEitherWay, testing::Bool(),
                         [](const auto& alone) { return alone.param ? "cms_alone" : "age_and_cms"; });

TEST_P(SealedEitherWay, ShowsEveryFlippedBit) {
  const std::string good = make_small_recording(sealed());
  const std::string root = root_of(good);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_FALSE(play(bad, bad.size(), with(cms_)).end) << "bit " << bit;
  }
}

TEST_P(SealedEitherWay, IsPlayedToTheCutWhereverThatIs) {
  RecordingWriter writer = make_writer(sealed());
  std::string all;
  for (uint64_t i = 0; i < 300; ++i) {
    const std::string line = random_bytes(400);
    all += line;
    writer.add(make_output(kStartNs + i * 10 * kMs, line));
    if (i % 10 == 9) ASSERT_TRUE(writer.flush(kStartNs + i * 10 * kMs + 800 * kMs));
  }
  ASSERT_TRUE(writer.seal(recording::v1::END_REASON_COMPLETE, 0, kStartNs + 9000 * kMs));
  const std::string bytes = contents(path_);
  for (size_t cut = 0; cut < bytes.size(); cut += 97) {
    const Played played = play(std::string_view(bytes).substr(0, cut), 1 << 20, with(cms_));
    ASSERT_FALSE(played.end);
    std::string shown;
    for (const auto* events : {&played.events, &played.salvaged}) {
      for (const Event& event : *events) shown += event.output().data();
    }
    EXPECT_TRUE(all.starts_with(shown)) << "cut at " << cut;
    // All but the batch that was cut.
    if (cut > 3000) EXPECT_GE(shown.size() + 66'000, cut - 3000) << "cut at " << cut;
  }
}

}  // namespace
}  // namespace cairn::recorder
