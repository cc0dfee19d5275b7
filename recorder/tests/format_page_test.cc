// docs/recording-format.md tells the truth: its worked example is what this code writes, its offsets are where this
// code looks. With CAIRN_UPDATE_DOCS=1 the example is written anew (another zstd may compress otherwise).
#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/file.h"
#include "recorder/tests/test_recording.h"

namespace cairn::recorder {
namespace {

constexpr std::string_view kFence = "<!-- worked example: recorder/tests/format_page_test.cc -->\n```\n";

const std::filesystem::path& page_path() {
  static const std::filesystem::path path = std::filesystem::path(CAIRN_SOURCE_DIR) / "docs" / "recording-format.md";
  return path;
}

std::string page() { return read_file(page_path(), 1 << 20).value(); }

// The shortest recording there is: Begin, and an End that found nothing more.
std::string example_recording() {
  Batch first;
  Event& begin = *first.add_events();
  begin.set_boot_ns(1'000'000'000);
  begin.mutable_begin()->set_session_id(std::string(kSession));
  begin.mutable_begin()->set_user("alice");
  ChunkHeader header;
  header.session = uuid_bytes(kSession);
  const std::string first_chunk = encode_chunk(header, first).value();

  Batch last;
  Event& end = *last.add_events();
  end.set_boot_ns(2'000'000'000);
  end.mutable_end()->set_reason(recording::v1::END_REASON_COMPLETE);
  auto& entry = *end.mutable_end()->add_index();
  entry.set_first_boot_ns(1'000'000'000);
  entry.set_last_boot_ns(1'000'000'000);
  entry.set_events(1);
  header.number = 1;
  header.is_final = true;
  return first_chunk + encode_chunk(header, last).value();
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
  ASSERT_EQ(played.events.size(), 2u);
  EXPECT_EQ(played.events[0].begin().user(), "alice");
  EXPECT_EQ(played.events[1].end().index_size(), 1);
}

// One row of the page's table: "| 24 | 8 | number |".
void expect_row(size_t offset, size_t size, std::string_view field) {
  EXPECT_NE(page().find(fmt::format("| {} | {} | {} |", offset, size, field)), std::string::npos)
      << field << " is not at " << offset << " on the page";
}

TEST(FormatPage, HasTheOffsetsOfTheHeader) {
  std::string bytes(kChunkHeaderBytes, '\0');
  bytes.replace(0, 4, "CRNR");
  write_le32(bytes.data() + 4, 1 | 1 << 16);
  bytes[8] = 0x42;
  write_le64(bytes.data() + 24, 5);
  write_le64(bytes.data() + 32, 6);
  write_le64(bytes.data() + 40, 7);
  write_le32(bytes.data() + 48, 100);
  write_le32(bytes.data() + 52, 8);
  write_le32(bytes.data() + 56, 9);
  write_le32(bytes.data() + 60, 10);
  const ChunkHeader header = parse_chunk_header(bytes).value();
  expect_row(0, 4, "magic");
  expect_row(4, 2, "version");
  expect_row(6, 2, "flags");
  EXPECT_TRUE(header.is_final);
  expect_row(8, 16, "session");
  EXPECT_EQ(header.session[0], 0x42);
  expect_row(24, 8, "number");
  EXPECT_EQ(header.number, 5u);
  expect_row(32, 8, "first_boot_ns");
  EXPECT_EQ(header.first_boot_ns, 6u);
  expect_row(40, 8, "last_boot_ns");
  EXPECT_EQ(header.last_boot_ns, 7u);
  expect_row(48, 4, "raw_bytes");
  EXPECT_EQ(header.raw_bytes, 100u);
  expect_row(52, 4, "stored_bytes");
  EXPECT_EQ(header.stored_bytes, 8u);
  expect_row(56, 4, "events");
  EXPECT_EQ(header.events, 9u);
  expect_row(60, 4, "crc32c");
  EXPECT_EQ(header.crc32c, 10u);
}

TEST(FormatPage, HasTheLimits) {
  EXPECT_NE(page().find(fmt::format("raw_bytes ≤ {}", kMaxRawBytes)), std::string::npos);
  EXPECT_NE(page().find(fmt::format("stored_bytes ≤ {}", kMaxStoredBytes)), std::string::npos);
  EXPECT_NE(page().find(fmt::format("at most {} entries", ChunkIndex::kMaxEntries)), std::string::npos);
}

}  // namespace
}  // namespace cairn::recorder
