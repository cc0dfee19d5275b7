#include "recorder/chunk.h"

#include <functional>
#include <random>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "recorder/chunk_builder.h"
#include "recorder/chunk_content.h"
#include "recorder/chunk_index.h"
#include "recorder/crc32c.h"
#include "recorder/tests/test_recording.h"

namespace cairn::recorder {
namespace {

ChunkPlace some_place() {
  return {.session = uuid_bytes(kSession), .number = 7, .previous = sha256("x"), .anchor = ClockAnchor(5, 4, 3)};
}

std::string make_chunk() {
  return encode_plain_events(some_place(), {make_output(2'000'000, "hello"), make_output(1'000'000, "world")},
                             {.settled = 9, .stored = 8});
}

// Puts the checksums right, so that what lies behind them is reached.
std::string resealed(std::string chunk) {
  write_le32(chunk.data() + 160, crc32c(std::string_view(chunk).substr(kChunkHeaderBytes)));
  write_le32(chunk.data() + 164, crc32c(std::string_view(chunk).substr(0, 164)));
  return chunk;
}

Result<ChunkContent> read(std::string_view bytes) {
  const Result<ChunkView> chunk = check_chunk(bytes);
  if (!chunk) return fail(chunk);
  return read_chunk(*chunk, nullptr);
}

// Four flushes of what `line` makes.
void fill(FrameWriter& frame, const std::function<std::string(uint32_t)>& line) {
  std::mt19937 random(1);  // the same text on every run
  for (int i = 0; i < 4; ++i) {
    for (int lines = 0; lines < 500; ++lines) frame.raw() += line(static_cast<uint32_t>(random()));
    frame.flush();
  }
  frame.end();
}

std::vector<size_t> places_readable_of(std::string_view frame) {
  std::vector<size_t> places;
  for (size_t cut = 0; cut < frame.size(); ++cut) {
    FrameReader reader(kMaxRawBytes);
    EXPECT_TRUE(reader.feed(frame.substr(0, cut)));
    if (places.empty() || reader.raw_bytes() > places.back()) places.push_back(reader.raw_bytes());
  }
  return places;
}

TEST(Frame, CompressedAnewIsShorterAndReadableToTheSamePlaces) {
  Compressor compressor;
  FrameWriter frame = compressor.begin(1);
  fill(frame, [](uint32_t number) { return fmt::format("{} read /usr/lib/{}\r\n", number % 9973, number % 127); });
  const std::string fast(frame.bytes());
  frame.compress_again(16);
  EXPECT_LT(frame.bytes().size(), fast.size());
  EXPECT_EQ(decompress_frame(frame.bytes(), frame.raw().size()).value(), frame.raw());
  EXPECT_EQ(places_readable_of(frame.bytes()), places_readable_of(fast));
  // The compressor goes on as it was.
  FrameWriter next = compressor.begin(1);
  next.raw() = "next";
  next.end();
  EXPECT_EQ(decompress_frame(next.bytes(), 4).value(), "next");
}

TEST(Frame, CompressedAnewIsNeverLonger) {
  Compressor compressor;
  FrameWriter frame = compressor.begin(1);
  fill(frame, [](uint32_t) { return "the same line\r\n"; });
  const std::string fast(frame.bytes());
  frame.compress_again(16);
  EXPECT_LE(frame.bytes().size(), fast.size());
  EXPECT_EQ(decompress_frame(frame.bytes(), frame.raw().size()).value(), frame.raw());
}

TEST(Chunk, ComesBackAsItWas) {
  const std::string chunk = make_chunk();
  const ChunkView view = check_chunk(chunk).value();
  const ChunkHeader& header = view.header;
  EXPECT_EQ(header.number, 7u);
  EXPECT_EQ(header.events, 2u);
  EXPECT_EQ(header.first_boot_ns, 1'000'000u);
  EXPECT_EQ(header.last_boot_ns, 2'000'000u);
  EXPECT_EQ(header.anchor, ClockAnchor(5, 4, 3));
  EXPECT_EQ(header.size(), chunk.size());
  EXPECT_FALSE(header.is_final());
  EXPECT_TRUE(header.has_kind(Event::kOutput));
  EXPECT_FALSE(header.has_kind(Event::kExec));
  EXPECT_EQ(uuid_text(header.session), kSession);
  const ChunkMeta meta = parse_meta(view).value();
  EXPECT_EQ(meta.output_bytes(), 10u);
  EXPECT_EQ(meta.kernel_settled(), 9u);
  EXPECT_EQ(meta.kernel_stored(), 8u);
  const ChunkContent content = read(chunk).value();
  EXPECT_TRUE(content.is_verified);
  EXPECT_EQ(content.events.at(0).output().data(), "hello");
}

TEST(Chunk, ShowsEveryFlippedBit) {
  const std::string good = make_chunk();
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(check_chunk(bad)) << "bit " << bit;
  }
}

TEST(Chunk, ShowsEveryMissingAndEveryAdditionalByte) {
  const std::string good = make_chunk();
  for (size_t keep = 0; keep < good.size(); ++keep) {
    EXPECT_EQ(code_of(check_chunk(std::string_view(good).substr(0, keep))), Errc::kTruncated) << keep;
  }
  EXPECT_EQ(code_of(check_chunk(good + "x")), Errc::kCorrupt);
}

TEST(Chunk, HasALeafThatCoversEveryByte) {
  const std::string good = make_chunk();
  const std::string leaf = leaf_hash(check_chunk(good).value());
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(~bad[at]);
    const ChunkView view{
        .header = check_chunk(good).value().header,
        .bytes = bad,
        .meta = {},
        .payload = std::string_view(bad).substr(kChunkHeaderBytes + check_chunk(good).value().header.meta_bytes)};
    EXPECT_NE(leaf_hash(view), leaf) << at;
  }
}

struct Forgery {
  const char* name;
  std::function<void(std::string&)> forge;
  Errc code;
};

class ForgedChunk : public testing::TestWithParam<Forgery> {};

TEST_P(ForgedChunk, IsRefusedThoughItsChecksumsAreRight) {
  std::string chunk = make_chunk();
  GetParam().forge(chunk);
  const Result<ChunkContent> decoded = read(resealed(chunk));
  ASSERT_FALSE(decoded);
  EXPECT_EQ(code_of(decoded), GetParam().code) << decoded.error().message;
}

std::function<void(std::string&)> with_le32(size_t at, uint32_t value) {
  return [at, value](std::string& chunk) { write_le32(chunk.data() + at, value); };
}

std::function<void(std::string&)> with_byte(size_t at, char value) {
  return [at, value](std::string& chunk) { chunk[at] = value; };
}

INSTANTIATE_TEST_SUITE_P(Forgeries, ForgedChunk,
                         testing::Values(Forgery{"other_version", with_byte(4, 3), Errc::kUnsupported},
                                         Forgery{"unknown_type", with_byte(6, 9), Errc::kUnsupported},
                                         Forgery{"unknown_form", with_byte(7, 9), Errc::kUnsupported},
                                         Forgery{"a_beginning_in_the_middle", with_byte(6, 0), Errc::kCorrupt},
                                         Forgery{"encrypted_in_word_alone", with_byte(7, 1), Errc::kDenied},
                                         Forgery{"pieces_in_word_alone", with_byte(7, 2), Errc::kCorrupt},
                                         Forgery{"no_raw_bytes", with_le32(80, 0), Errc::kCorrupt},
                                         Forgery{"too_many_raw_bytes", with_le32(80, kMaxRawBytes + 1), Errc::kCorrupt},
                                         Forgery{"other_raw_bytes", with_le32(80, 31), Errc::kCorrupt},
                                         Forgery{"no_payload", with_le32(88, 0), Errc::kCorrupt},
                                         Forgery{"too_much_payload", with_le32(88, kMaxPayloadBytes + 1),
                                                 Errc::kCorrupt},
                                         Forgery{"too_many_facts", with_le32(84, kMaxMetaBytes + 1), Errc::kCorrupt},
                                         Forgery{"no_events", with_le32(92, 0), Errc::kCorrupt},
                                         Forgery{"one_event_less", with_le32(92, 1), Errc::kCorrupt},
                                         Forgery{"too_many_events", with_le32(92, 0xffffffff), Errc::kCorrupt},
                                         Forgery{"other_first_time", with_le32(32, 9), Errc::kCorrupt},
                                         Forgery{"other_last_time", with_le32(40, 2'100'000), Errc::kCorrupt},
                                         Forgery{"ends_before_it_begins", with_le32(40, 9), Errc::kCorrupt},
                                         Forgery{"other_content", with_le32(128, 9), Errc::kCorrupt},
                                         Forgery{"two_frames",
                                                 [](std::string& chunk) {
                                                   const std::string skippable = from_hex("502a4d1800000000").value();
                                                   chunk += skippable;
                                                   write_le32(chunk.data() + 88, read_le32(chunk.data() + 88) + 8);
                                                 },
                                                 Errc::kCorrupt}),
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

// The final chunk cannot be split: the largest index must fit.
TEST(ChunkIndex, FitsIntoTheFinalChunkAtItsLargest) {
  constexpr uint64_t kHuge = ~uint64_t{0};
  ChunkIndex index;
  ChunkHeader header;
  header.first_boot_ns = kHuge;
  header.last_boot_ns = kHuge;
  header.events = ~uint32_t{0};
  for (size_t i = 0; i < ChunkIndex::kMaxEntries; ++i) index.add(kHuge, header);
  Closing closing;
  index.copy_to(*closing.mutable_end()->mutable_end());
  EXPECT_LT(closing.ByteSizeLong(), kMaxRawBytes - 1000) << "the totals need room too";
}

}  // namespace
}  // namespace cairn::recorder
