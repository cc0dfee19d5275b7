// docs/recording-format.md tells the truth: its worked example is what this code writes, its offsets are where this
// code looks. With CAIRN_UPDATE_DOCS=1 the example is written anew (another zstd may compress otherwise).
#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/file.h"
#include "recorder/chunk_builder.h"
#include "recorder/crc32c.h"
#include "recorder/tests/test_recording.h"

namespace cairn::recorder {
namespace {

constexpr std::string_view kFence = "<!-- worked example: recorder/tests/format_page_test.cc -->\n```\n";

const std::filesystem::path& page_path() {
  static const std::filesystem::path path = std::filesystem::path(CAIRN_SOURCE_DIR) / "docs" / "recording-format.md";
  return path;
}

std::string page() { return read_file(page_path(), 1 << 20).value(); }

// The shortest recording there is: Begin, and an End that found nothing more; and between them a chunk of one event.
std::string example_recording() {
  const auto place = [](uint64_t number, const std::string& before) {
    ChunkPlace place{.session = uuid_bytes(kSession),
                     .number = number,
                     .previous = {},
                     .anchor = ClockAnchor(1'000'000'000, 1'000'000'000, 1'700'000'000'000'000'000)};
    if (!before.empty()) place.previous = leaf_hash(check_chunk(before).value());
    return place;
  };
  Opening opening;
  Event& begin = *opening.mutable_begin();
  begin.set_boot_ns(1'000'000'000);
  begin.mutable_begin()->set_session_id(std::string(kSession));
  begin.mutable_begin()->set_user("alice");
  const std::string first = encode_opening(place(0, ""), opening);
  const std::string second = encode_plain_events(place(1, first), {make_output(1'500'000'000, "$ ")}, {});
  Closing closing;
  Event& end = *closing.mutable_end();
  end.set_boot_ns(2'000'000'000);
  end.mutable_end()->set_reason(recording::v1::END_REASON_COMPLETE);
  end.mutable_end()->set_output_bytes(2);
  auto& entry = *end.mutable_end()->add_index();
  entry.set_file_offset(first.size());
  entry.set_first_boot_ns(1'500'000'000);
  entry.set_last_boot_ns(1'500'000'000);
  entry.set_events(1);
  return first + second + encode_closing(place(2, second), closing, {});
}

std::string dump(std::string_view bytes) {
  std::string text;
  for (size_t at = 0; at < bytes.size(); at += 16) {
    text += fmt::format("{:04x} ", at);
    std::string readable;
    for (const char c : bytes.substr(at, 16)) {
      text += fmt::format(" {:02x}", static_cast<unsigned char>(c));
      readable += c > ' ' && c < 0x7f ? c : '.';
    }
    text.append(3 * (16 - readable.size()) + 2, ' ');
    text += readable + '\n';
  }
  return text;
}

TEST(FormatPage, ShowsWhatIsWritten) {
  std::string text = page();
  const size_t from = text.find(kFence);
  ASSERT_NE(from, std::string::npos) << "the page has lost its worked example";
  const size_t begin = from + kFence.size();
  const size_t end = text.find("```", begin);
  ASSERT_NE(end, std::string::npos);
  const std::string expected = dump(example_recording());
  if (std::getenv("CAIRN_UPDATE_DOCS") != nullptr) {
    text.replace(begin, end - begin, expected);
    ASSERT_TRUE(write_file_atomically(page_path(), text, 0644));
    return;
  }
  EXPECT_EQ(text.substr(begin, end - begin), expected) << "run this test with CAIRN_UPDATE_DOCS=1";
}

TEST(FormatPage, HasAnExampleThatPlays) {
  const std::string text = page();
  std::string hex;
  const size_t begin = text.find(kFence) + kFence.size();
  const size_t end = text.find("```", begin);
  for (size_t line = begin; line < end; line = text.find('\n', line) + 1) {
    for (const char c : text.substr(line + 5, 48)) {
      if (std::isxdigit(static_cast<unsigned char>(c)) != 0) hex += c;
    }
  }
  const Played played = play(from_hex(hex).value());
  ASSERT_TRUE(played.end) << played.end.error().message;
  ASSERT_EQ(played.events.size(), 3u);
  EXPECT_EQ(played.events[0].begin().user(), "alice");
  EXPECT_EQ(played.events[1].output().data(), "$ ");
  EXPECT_EQ(played.events[2].end().index_size(), 1);
}

// One row of the page's table: "| 24 | 8 | number |".
void expect_row(size_t offset, size_t size, std::string_view field) {
  EXPECT_NE(page().find(fmt::format("| {} | {} | {} |", offset, size, field)), std::string::npos)
      << field << " is not at " << offset << " on the page";
}

TEST(FormatPage, HasTheOffsetsOfTheHeader) {
  std::string bytes(kChunkHeaderBytes, '\0');
  bytes.replace(0, 4, "CRNR");
  bytes[4] = 2;
  bytes[6] = 2;
  bytes[7] = 1;
  bytes[8] = 0x42;
  bytes[96] = 0x43;
  bytes[128] = 0x44;
  const std::vector<size_t> longs = {24, 32, 40, 48, 56, 64, 72};
  for (size_t i = 0; i < longs.size(); ++i) write_le64(bytes.data() + longs[i], i + 5);
  write_le32(bytes.data() + 80, 100);
  write_le32(bytes.data() + 84, 8);
  write_le32(bytes.data() + 88, 9);
  write_le32(bytes.data() + 92, 10);
  write_le32(bytes.data() + 160, 11);
  write_le32(bytes.data() + 164, crc32c(std::string_view(bytes).substr(0, 164)));
  const ChunkHeader header = parse_chunk_header(bytes).value();
  expect_row(0, 4, "magic");
  expect_row(4, 2, "version");
  expect_row(6, 1, "type");
  EXPECT_EQ(header.type, ChunkType::kEnd);
  expect_row(7, 1, "form");
  EXPECT_EQ(header.form, PayloadForm::kAge);
  expect_row(8, 16, "session");
  EXPECT_EQ(header.session[0], 0x42);
  expect_row(24, 8, "number");
  EXPECT_EQ(header.number, 5u);
  expect_row(32, 8, "first_boot_ns");
  EXPECT_EQ(header.first_boot_ns, 6u);
  expect_row(40, 8, "last_boot_ns");
  EXPECT_EQ(header.last_boot_ns, 7u);
  expect_row(48, 8, "anchor_boot_ns");
  expect_row(56, 8, "anchor_mono_ns");
  expect_row(64, 8, "anchor_wall_ns");
  EXPECT_EQ(header.anchor, ClockAnchor(8, 9, 10));
  expect_row(72, 8, "kinds");
  EXPECT_EQ(header.kinds, 11u);
  expect_row(80, 4, "raw_bytes");
  EXPECT_EQ(header.raw_bytes, 100u);
  expect_row(84, 4, "meta_bytes");
  EXPECT_EQ(header.meta_bytes, 8u);
  expect_row(88, 4, "payload_bytes");
  EXPECT_EQ(header.payload_bytes, 9u);
  expect_row(92, 4, "events");
  EXPECT_EQ(header.events, 10u);
  expect_row(96, 32, "previous");
  EXPECT_EQ(header.previous[0], 0x43);
  expect_row(128, 32, "content");
  EXPECT_EQ(header.content[0], 0x44);
  expect_row(160, 4, "body_crc");
  EXPECT_EQ(header.body_crc, 11u);
  expect_row(164, 4, "header_crc");
}

TEST(FormatPage, HasTheOffsetsOfAnArchivedChunk) {
  const std::string example = example_recording();
  const size_t second = parse_chunk_header(example).value().size();
  const size_t size = parse_chunk_header(std::string_view(example).substr(second)).value().size();
  const ChunkView chunk = check_chunk(std::string_view(example).substr(second, size)).value();
  const std::string archived = encode_archived(chunk, "payload");
  expect_row(168, 32, "written_payload");
  EXPECT_EQ(archived.substr(168, 32), sha256(chunk.payload));
  expect_row(200, 4, "stored_bytes");
  EXPECT_EQ(read_le32(archived.data() + 200), 7u);
  expect_row(204, 4, "stored_crc");
  EXPECT_EQ(read_le32(archived.data() + 204), crc32c(archived.substr(216)));
  expect_row(208, 4, "-");
  expect_row(212, 4, "facts_crc");
  EXPECT_EQ(read_le32(archived.data() + 212), crc32c(archived.substr(168, 44)));
  EXPECT_EQ(archived.size(), 216 + chunk.header.meta_bytes + 7);
  EXPECT_EQ("CRNR" + archived.substr(4, 164), example.substr(second, 168));
}

TEST(FormatPage, HasTheLimits) {
  EXPECT_NE(page().find(fmt::format("raw_bytes ≤ {}", kMaxRawBytes)), std::string::npos);
  EXPECT_NE(page().find(fmt::format("payload_bytes ≤ {}", kMaxPayloadBytes)), std::string::npos);
  EXPECT_NE(page().find(fmt::format("at most {} entries", ChunkIndex::kMaxEntries)), std::string::npos);
}

}  // namespace
}  // namespace cairn::recorder
