#include "recorder/html/page_parts.h"

#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "recorder/html/packed.h"

namespace cairn::recorder {
namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
constexpr size_t kLengthBytes = 8;
constexpr size_t kFixedParts = 3;

// The type keeps a browser from looking into it.
void add_element(std::string& data, std::string_view id, std::string_view packed_part) {
  data += fmt::format("<script type=\"application/gzip\" id=\"{}\">{}</script>\n", id, packed_part);
}

void add_part(std::string& bytes, std::string_view part) {
  const size_t at = bytes.size();
  bytes.resize(at + kLengthBytes);
  write_le64(bytes.data() + at, part.size());
  bytes += part;
}

}  // namespace

std::string encode_parts(const PageParts& parts) {
  std::string bytes;
  for (const std::string* part : {&parts.index, &parts.events, &parts.lines}) add_part(bytes, *part);
  for (const std::string& segment : parts.segments) add_part(bytes, segment);
  return bytes;
}

Result<PageParts> decode_parts(std::string_view bytes) {
  std::vector<std::string> found;
  while (!bytes.empty()) {
    const bool has_length = bytes.size() >= kLengthBytes;
    const uint64_t length = has_length ? read_le64(bytes.data()) : 0;
    if (!has_length || length > bytes.size() - kLengthBytes || found.size() == kFixedParts + kMaxPageSegments)
      return fail(Errc::kCorrupt, "the parts of the page cannot be told apart");
    found.emplace_back(bytes.substr(kLengthBytes, length));
    bytes.remove_prefix(kLengthBytes + length);
  }
  if (found.size() <= kFixedParts) return fail(Errc::kCorrupt, "parts of the page are missing");
  PageParts parts{
      .index = std::move(found[0]), .events = std::move(found[1]), .lines = std::move(found[2]), .segments = {}};
  parts.segments.assign(std::make_move_iterator(found.begin() + kFixedParts), std::make_move_iterator(found.end()));
  return parts;
}

Result<std::string> assemble_page(std::string_view page, std::string_view about, const PageParts& parts) {
  std::string data;
  add_element(data, "about", packed(about));
  const auto add = [&data](std::string_view id, std::string_view part) {
    if (part.find_first_not_of(kBase64) != std::string_view::npos) return false;
    add_element(data, id, part);
    return true;
  };
  bool is_harmless = add("index", parts.index) && add("events", parts.events) && add("lines", parts.lines);
  for (size_t i = 0; is_harmless && i < parts.segments.size(); ++i)
    is_harmless = add(fmt::format("segment-{}", i), parts.segments[i]);
  if (!is_harmless)
    return fail(Errc::kCorrupt, "a part of the page holds what could become markup; the page is not made");
  std::string file(page);
  file.replace(file.find(kPageDataMark), kPageDataMark.size(), data);
  return file;
}

}  // namespace cairn::recorder
