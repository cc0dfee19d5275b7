#include "recorder/chunk.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/bytes.h"
#include "recorder/chunk_index.h"
#include "recorder/crc32c.h"
#include "recorder/gap.h"
#include "recorder/tests/test_recording.h"

namespace cairn::recorder {
namespace {

std::string make_chunk() {
  Batch batch;
  *batch.add_events() = make_output(20, "hello");
  *batch.add_events() = make_output(10, "world");
  ChunkHeader header;
  header.session = uuid_bytes(kSession);
  header.number = 7;
  return encode_chunk(header, batch).value();
}

// Puts the checksum right, so that what lies behind it is reached.
std::string resealed(std::string chunk) {
  write_le32(chunk.data() + 60, 0);
  write_le32(chunk.data() + 60, crc32c(chunk));
  return chunk;
}

TEST(Chunk, ComesBackAsItWas) {
  const std::string chunk = make_chunk();
  const ChunkHeader header = check_chunk(chunk).value();
  EXPECT_EQ(header.number, 7u);
  EXPECT_EQ(header.events, 2u);
  EXPECT_EQ(header.first_boot_ns, 10u);
  EXPECT_EQ(header.last_boot_ns, 20u);
  EXPECT_EQ(header.size(), chunk.size());
  EXPECT_FALSE(header.is_final);
  EXPECT_EQ(uuid_text(header.session), kSession);
  EXPECT_EQ(decode_chunk(chunk).value().events(0).output().data(), "hello");
}

TEST(Chunk, ShowsEveryFlippedBit) {
  const std::string good = make_chunk();
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(check_chunk(bad)) << "bit " << bit;
    EXPECT_FALSE(decode_chunk(bad)) << "bit " << bit;
  }
}

TEST(Chunk, ShowsEveryMissingAndEveryAdditionalByte) {
  const std::string good = make_chunk();
  for (size_t keep = 0; keep < good.size(); ++keep) {
    EXPECT_EQ(code_of(check_chunk(std::string_view(good).substr(0, keep))), Errc::kTruncated) << keep;
  }
  EXPECT_EQ(code_of(check_chunk(good + "x")), Errc::kCorrupt);
}

TEST(Chunk, IsRefusedWhenTheBatchIsEmptyOrTooLarge) {
  EXPECT_EQ(code_of(encode_chunk({}, Batch())), Errc::kInvalid);
  Batch batch;
  *batch.add_events() = make_output(1, std::string(kMaxRawBytes, 'x'));
  EXPECT_EQ(code_of(encode_chunk({}, batch)), Errc::kTooLarge);
}

struct Forgery {
  const char* name;
  std::function<void(std::string&)> forge;
  Errc code;
};

class ForgedChunk : public testing::TestWithParam<Forgery> {};

TEST_P(ForgedChunk, IsRefusedThoughItsChecksumIsRight) {
  std::string chunk = make_chunk();
  GetParam().forge(chunk);
  const Result<Batch> decoded = decode_chunk(resealed(chunk));
  ASSERT_FALSE(decoded);
  EXPECT_EQ(code_of(decoded), GetParam().code) << decoded.error().message;
}

std::function<void(std::string&)> with_le32(size_t at, uint32_t value) {
  return [at, value](std::string& chunk) { write_le32(chunk.data() + at, value); };
}

INSTANTIATE_TEST_SUITE_P(
    Forgeries, ForgedChunk,
    testing::Values(Forgery{"other_version", with_le32(4, 2), Errc::kUnsupported},
                    Forgery{"unknown_flag", with_le32(4, 1 | 2 << 16), Errc::kCorrupt},
                    Forgery{"no_raw_bytes", with_le32(48, 0), Errc::kCorrupt},
                    Forgery{"too_many_raw_bytes", with_le32(48, kMaxRawBytes + 1), Errc::kCorrupt},
                    Forgery{"other_raw_bytes", with_le32(48, 31), Errc::kCorrupt},
                    Forgery{"no_stored_bytes", with_le32(52, 0), Errc::kCorrupt},
                    Forgery{"too_many_stored_bytes", with_le32(52, kMaxStoredBytes + 1), Errc::kCorrupt},
                    Forgery{"no_events", with_le32(56, 0), Errc::kCorrupt},
                    Forgery{"one_event_less", with_le32(56, 1), Errc::kCorrupt},
                    Forgery{"more_events_than_bytes", with_le32(56, 0xffffffff), Errc::kCorrupt},
                    Forgery{"other_first_time", with_le32(32, 9), Errc::kCorrupt},
                    Forgery{"other_last_time", with_le32(40, 21), Errc::kCorrupt},
                    Forgery{"ends_before_it_begins", with_le32(40, 9), Errc::kCorrupt},
                    Forgery{"no_zstd_frame", with_le32(64, 0), Errc::kCorrupt},
                    Forgery{"two_frames",
                            [](std::string& chunk) {
                              const std::string skippable = from_hex("502a4d1800000000").value();
                              chunk += skippable;
                              write_le32(chunk.data() + 52, read_le32(chunk.data() + 52) + 8);
                            },
                            Errc::kCorrupt},
                    Forgery{"garbage_in_the_frame",
                            [](std::string& chunk) { chunk[75] = static_cast<char>(~chunk[75]); }, Errc::kCorrupt}),
    [](const auto& forgery) { return std::string(forgery.param.name); });

TEST(ChunkIndex, StaysSmallAndCoversEveryChunk) {
  ChunkIndex index;
  const uint64_t chunks = 3 * ChunkIndex::kMaxEntries + 5;
  for (uint64_t i = 0; i < chunks; ++i) {
    ChunkHeader header;
    header.first_boot_ns = i * 10;
    header.last_boot_ns = i * 10 + 9;
    header.events = 1;
    index.add(i * 100, header);
  }
  EXPECT_EQ(index.stride(), 4u);
  EXPECT_LE(index.entries(), ChunkIndex::kMaxEntries);
  End end;
  index.copy_to(end);
  uint64_t events = 0;
  for (int i = 0; i < end.index_size(); ++i) {
    EXPECT_EQ(end.index(i).file_offset(), static_cast<uint64_t>(i) * 400);
    EXPECT_EQ(end.index(i).first_boot_ns(), static_cast<uint64_t>(i) * 40);
    events += end.index(i).events();
  }
  EXPECT_EQ(events, chunks);
  EXPECT_TRUE(index.matches(end));
  end.mutable_index(3)->set_events(9);
  EXPECT_FALSE(index.matches(end));
}

// The final chunk cannot be split: the largest index and as many gaps as one chunk takes must fit.
TEST(ChunkIndex, FitsIntoTheFinalChunkAtItsLargest) {
  constexpr uint64_t kHuge = ~uint64_t{0};
  ChunkIndex index;
  ChunkHeader header;
  header.first_boot_ns = kHuge;
  header.last_boot_ns = kHuge;
  header.events = ~uint32_t{0};
  for (size_t i = 0; i < ChunkIndex::kMaxEntries; ++i) index.add(kHuge, header);
  Batch batch;
  for (size_t i = 0; i < kMaxGapsPerChunk; ++i) {
    *batch.add_events() = gap_event(kHuge, {1, kHuge}, recording::v1::GAP_REASON_SPOOL_FULL);
  }
  index.copy_to(*batch.add_events()->mutable_end());
  EXPECT_LT(batch.ByteSizeLong(), kMaxRawBytes - 1000) << "the totals need room too";
}

}  // namespace
}  // namespace cairn::recorder
