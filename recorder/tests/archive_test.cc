// Chunks in archive form: the same content under the same signatures, in fewer bytes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <random>

#include "base/bytes.h"
#include "recorder/archive/recompress.h"
#include "recorder/archive/recompress_process.h"
#include "recorder/crc32c.h"
#include "recorder/summary.h"
#include "recorder/tests/test_recording.h"

namespace cairn::recorder {
namespace {

class ArchiveForm : public RecordingFolder {
 protected:
  // Words in no order: what a fast level finds little in.
  std::string next_line() {
    constexpr std::string_view kWords[] = {"error",       "warning", "session", "opened", "closed",   "for",
                                           "user",        "root",    "started", "failed", "unit",     "scope",
                                           "timer",       "daily",   "cron",    "by",     "/usr/bin", "/etc/ssh",
                                           "sshd_config", "python3", "0644",    "deploy", "uid",      "0"};
    std::string line;
    for (int i = 0; i < 12; ++i) line += std::string(kWords[random_() % std::size(kWords)]) + " ";
    return line + "\r\n";
  }
  // One whose chunks, from the third on, gain by it: a node has compressed them in haste.
  std::string make_recording(bool is_sealed, uint64_t chunks = 3) {
    RecordingOptions options;
    options.seal_raw_bytes = 1;
    if (is_sealed) {
      auto keys = std::make_unique<const RecordingKeys>(RecordingKeys::make({reader_.recipient()}));
      keys_ = std::make_shared<const RecordingKeys>(Secret(std::string(keys->secret())));
      options.keys = std::move(keys);
    }
    RecordingWriter writer = make_writer(std::move(options));
    for (uint64_t i = 0; i <= chunks; ++i) {
      for (int line = i == 0 ? 59 : 0; line < 60; ++line) writer.add(make_output(kStartNs + i * 10 * kMs, next_line()));
      EXPECT_TRUE(writer.flush_all(kStartNs + i * 10 * kMs + 2));
    }
    EXPECT_TRUE(writer.seal(recording::v1::END_REASON_COMPLETE, 0, kStartNs + 5000 * kMs));
    return contents(path_);
  }
  Unlock unlock() const {
    return [this](const Opening&) -> Result<std::shared_ptr<const RecordingKeys>> { return keys_; };
  }

  std::string archived(std::string_view bytes) const {
    std::string all;
    for (const ChunkView& chunk : chunks_of(bytes)) all += recompress_chunk(chunk, keys_.get()).value();
    return all;
  }
  static std::vector<ChunkView> chunks_of(std::string_view bytes) {
    std::vector<ChunkView> chunks;
    for (size_t at = 0; at < bytes.size(); at += chunks.back().bytes.size())
      chunks.push_back(check_chunk(bytes.substr(at, parse_chunk_header(bytes.substr(at)).value().size())).value());
    return chunks;
  }
  static std::vector<std::string> text_of(const std::vector<Event>& events) {
    std::vector<std::string> all;
    for (const Event& event : events) all.push_back(event.SerializeAsString());
    return all;
  }
  UniqueFd file(const std::string& name, std::string_view bytes) const {
    const std::filesystem::path path = folder_ / name;
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    return UniqueFd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  }

  std::mt19937_64 random_{1};
  AgeIdentity reader_ = AgeIdentity::generate();
  std::shared_ptr<const RecordingKeys> keys_;
};

TEST_F(ArchiveForm, KeepsContentAndSignatures) {
  for (const bool is_sealed : {false, true}) {
    SCOPED_TRACE(is_sealed ? "sealed" : "open");
    const std::string before = make_recording(is_sealed);
    const std::string after = archived(before);
    EXPECT_LT(after.size(), before.size() - 300);
    const Played played = play(after, 7, unlock());
    ASSERT_TRUE(played.end) << played.end.error().message;
    EXPECT_EQ(text_of(played.events), text_of(play(before, 4096, unlock()).events));
    const std::vector<ChunkView> old = chunks_of(before);
    const std::vector<ChunkView> now = chunks_of(after);
    ASSERT_EQ(old.size(), now.size());
    for (size_t i = 0; i < old.size(); ++i) {
      const bool is_archived = i > 1 && i + 1 < old.size();
      EXPECT_EQ(now[i].header.archived.has_value(), is_archived) << "chunk " << i;
      EXPECT_EQ(leaf_hash(old[i]), leaf_hash(now[i]));
      EXPECT_EQ(stored_leaf_hash(old[i]), leaf_hash(old[i]));
      EXPECT_EQ(stored_leaf_hash(now[i]) == leaf_hash(now[i]), !is_archived);
      EXPECT_EQ(recompress_chunk(now[i], keys_.get()).value(), now[i].bytes) << "twice changes nothing more";
    }
    write_bytes(after);
    EXPECT_THAT(summarize(path_, unlock()).value().findings, testing::IsEmpty()) << "the index is that of the node";
    std::filesystem::remove(path_);
    keys_.reset();
  }
}

TEST_F(ArchiveForm, IsEncryptedAnewForTheSameRecipients) {
  const std::string before = make_recording(true);
  const std::string after = archived(before);
  const ChunkView old = chunks_of(before)[2];
  const ChunkView now = chunks_of(after)[2];
  const size_t header = old.payload.find("\n--- ") + 49;
  ASSERT_EQ(now.payload.substr(0, header), old.payload.substr(0, header));
  EXPECT_NE(now.payload.substr(header, 16), old.payload.substr(header, 16)) << "no key meets a nonce twice";
  const std::string again = archived(before);
  EXPECT_NE(chunks_of(again)[2].payload.substr(header, 16), now.payload.substr(header, 16));
  file("chunk.age", now.payload);
  file("key", reader_.text().view());
  const std::string run = "cd " + folder_.string() + " && age -d -i key chunk.age | zstd -dcq > raw";
  ASSERT_EQ(std::system(run.c_str()), 0);
  EXPECT_EQ(sha256(contents(folder_ / "raw")), sha256(read_raw(old, keys_.get()).value()));
}

TEST_F(ArchiveForm, IsPlayedUpToACut) {
  const std::string bytes = archived(make_recording(true));
  const std::vector<size_t> offsets = chunk_offsets(bytes);
  for (size_t cut = 0; cut < bytes.size(); cut += cut < offsets[3] ? 3 : 37) {
    const Played played = play(std::string_view(bytes).substr(0, cut), 4096, unlock());
    ASSERT_EQ(code_of(played.end), Errc::kTruncated) << "cut at " << cut;
    const auto whole = static_cast<size_t>(std::ranges::upper_bound(offsets, cut) - offsets.begin() - 1);
    EXPECT_EQ(played.whole_chunks, whole) << "cut at " << cut;
  }
}

TEST_F(ArchiveForm, ShowsEveryFlippedBit) {
  const std::string good = archived(make_recording(true, 1));
  const size_t all = play(good, 4096, unlock()).events.size();
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    const Played played = play(bad, bad.size(), unlock());
    ASSERT_FALSE(played.end) << "bit " << bit;
    EXPECT_LT(played.events.size(), all);
  }
}

// Whoever can put checksums right, and has the recording's keys, still cannot make it say something else.
TEST_F(ArchiveForm, HoldsNothingButWhatTheNodeHadSeen) {
  const std::string before = make_recording(true);
  const ChunkView chunk = chunks_of(before)[2];
  std::string said = read_raw(chunk, keys_.get()).value();
  said[said.find("root")] = 'b';
  const std::string sealed =
      age_encrypt_again(chunk.payload, compress_for_archive(said, kArchiveLevel), keys_->chunk_key(2).view()).value();
  const std::string forged = encode_archived(chunk, sealed);
  const Result<std::string> raw = read_raw(check_chunk(forged).value(), keys_.get());
  ASSERT_FALSE(raw);
  EXPECT_EQ(raw.error().code, Errc::kCorrupt);
}

struct Lie {
  const char* name;
  size_t at;  // in the chunk
  uint32_t value;
  std::error_code code;
};
class HostileArchiveForm : public ArchiveForm, public testing::WithParamInterface<Lie> {};

TEST_P(HostileArchiveForm, IsRefusedBeforeAnythingIsAllocated) {
  const std::string bytes = archived(make_recording(false, 1));
  const size_t at = chunk_offsets(bytes)[2];
  std::string chunk = bytes.substr(at, chunk_offsets(bytes)[3] - at);
  const Lie& lie = GetParam();
  write_le32(chunk.data() + lie.at, lie.value);
  const size_t facts = kChunkHeaderBytes;
  write_le32(chunk.data() + facts + 44, crc32c(std::string_view(chunk).substr(facts, 44)));
  EXPECT_EQ(code_of(parse_chunk_header(chunk)), lie.code);
}

INSTANTIATE_TEST_SUITE_P(
    Facts, HostileArchiveForm,
    testing::Values(Lie{.name = "no_payload", .at = 200, .value = 0, .code = Errc::kCorrupt},
                    Lie{.name = "longer_than_written", .at = 200, .value = uint32_t{1} << 30, .code = Errc::kCorrupt},
                    Lie{.name = "of_a_later_kind", .at = 208, .value = 1, .code = Errc::kUnsupported}),
    [](const auto& lie) { return std::string(lie.param.name); });

TEST_F(ArchiveForm, IsNoFormOfABeginning) {
  const std::string bytes = make_recording(false, 1);
  const ChunkView first = chunks_of(bytes)[0];
  EXPECT_EQ(code_of(parse_chunk_header(encode_archived(first, "x"))), Errc::kCorrupt);
}

TEST_F(ArchiveForm, IsMadeAndCheckedInAProcessOfItsOwn) {
  const std::string before = make_recording(true);
  const UniqueFd from = file("from", before);
  const UniqueFd to = file("to", "");
  const Result<void> done =
      run_recompress_process({.from = from.get(), .to = to.get(), .secret = keys_->secret(), .limits = {}});
  ASSERT_TRUE(done) << done.error().message;
  const std::string after = contents(folder_ / "to");
  EXPECT_LT(after.size(), before.size());
  EXPECT_EQ(text_of(play(after, 4096, unlock()).events), text_of(play(before, 4096, unlock()).events));
}

TEST_F(ArchiveForm, IsNotMadeOfWhatIsDamaged) {
  std::string before = make_recording(true);
  before[chunk_offsets(before)[2] + 400] ^= 1;
  const UniqueFd from = file("from", before);
  const UniqueFd to = file("to", "");
  const Result<void> done =
      run_recompress_process({.from = from.get(), .to = to.get(), .secret = keys_->secret(), .limits = {}});
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, testing::StartsWith("chunk 2: "));
}

TEST_F(ArchiveForm, IsCheckedAgainstTheOriginal) {
  const std::string before = make_recording(true);
  const std::vector<ChunkView> chunks = chunks_of(before);
  const std::string good = archived(before);
  std::string bad = std::string(chunks[0].bytes) + encode_archived(chunks[1], "no frame at all");
  for (size_t i = 2; i < chunks.size(); ++i) bad += chunks[i].bytes;
  const auto check = [&](std::string_view after) {
    return check_recompressed({.from = file("from", before), .to = file("to", after), .keys = keys_});
  };
  EXPECT_TRUE(check(good));
  EXPECT_EQ(code_of(check(bad)), Errc::kCorrupt);
  EXPECT_EQ(code_of(check(good.substr(0, chunk_offsets(good)[2]))), Errc::kCorrupt) << "chunks are missing";
}

}  // namespace
}  // namespace cairn::recorder
