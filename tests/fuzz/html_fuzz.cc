// Recordings of hostile programs as a page: whatever was on the terminal or ran, no byte of it stands in the page as it
// was, so that none becomes markup; what the page unpacks is JSON, and nothing in it acts on a terminal. And parts that
// a broken maker gives.
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "recorder/html/html_export.h"
#include "recorder/html/page_parts.h"

using namespace cairn;
using namespace cairn::recorder;

namespace {

constexpr std::string_view kBegin = "<body>";
constexpr std::string_view kEnd = "</body>";
constexpr std::string_view kAbout = R"({"title":"</script><!--"})";
constexpr size_t kStepBytes = size_t{64} << 10;

void require(bool holds) {
  if (!holds) std::abort();
}

// One byte says what, one how long, then that.
Event next_event(std::string_view& rest, uint64_t& now_ns) {
  const auto what = static_cast<uint8_t>(rest[0]);
  const std::string data(rest.substr(2, static_cast<uint8_t>(rest[1])));
  rest.remove_prefix(2 + data.size());
  Event event;
  switch (what % 6) {
    case 0:
    case 1:
      event.mutable_output()->set_stream(recording::v1::STREAM_TERMINAL);
      event.mutable_output()->set_channel(what % 6);
      event.mutable_output()->set_data(data);
      break;
    case 2:
      event.mutable_resize()->set_columns(data.empty() ? 0 : static_cast<uint8_t>(data.front()));
      event.mutable_resize()->set_rows(data.empty() ? 0 : static_cast<uint8_t>(data.back()) % 60);
      break;
    case 3:
      event.mutable_exec()->mutable_process()->set_pid(what);
      event.mutable_exec()->add_argv(data);
      break;
    case 4: event.mutable_open()->mutable_file()->set_path(data); break;
    default:
      if (!event.ParseFromString(data)) event.Clear();
  }
  event.set_boot_ns(now_ns += uint64_t{what} * 1'000'000);
  return event;
}

std::string unpacked(std::string_view part) {
  const Result<std::string> packed = from_base64(part);
  require(packed.has_value());
  z_stream stream{};
  require(::inflateInit2(&stream, 15 + 16) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed->data()));
  stream.avail_in = static_cast<uInt>(packed->size());
  std::string text;
  int state = Z_OK;
  while (state == Z_OK) {
    const size_t at = text.size();
    text.resize(at + kStepBytes);
    stream.next_out = reinterpret_cast<Bytef*>(text.data() + at);
    stream.avail_out = kStepBytes;
    state = ::inflate(&stream, Z_NO_FLUSH);
  }
  require(state == Z_STREAM_END && stream.avail_in == 0);
  text.resize(stream.total_out);
  ::inflateEnd(&stream);
  return text;
}

void look_into(std::string_view id, const std::string& text) {
  const nlohmann::json part = nlohmann::json::parse(text, nullptr, false);
  require(!part.is_discarded());
  if (id == "about") require(text == kAbout);
  if (!id.starts_with("segment-")) return;
  std::string drawn = part["state"];
  for (const auto& output : part["text"]) drawn += "\n" + output.get<std::string>();
  // Titles, clipboards, links, answers: all of them begin so.
  for (const std::string_view begin : {"\x1b]", "\x1bP", "\x1b_", "\x1b^", "\x1bX"})
    require(drawn.find(begin) == std::string::npos);
}

// As a browser finds its way: nothing but elements of our own, each with base64 alone in it.
void look_at(std::string_view page) {
  require(page.starts_with(kBegin) && page.ends_with(kEnd));
  page.remove_prefix(kBegin.size());
  page.remove_suffix(kEnd.size());
  constexpr std::string_view kOpen = "<script type=\"application/gzip\" id=\"";
  constexpr std::string_view kClose = "</script>\n";
  while (!page.empty()) {
    require(page.starts_with(kOpen));
    page.remove_prefix(kOpen.size());
    const std::string_view id = page.substr(0, page.find("\">"));
    page.remove_prefix(id.size() + 2);
    const std::string_view part = page.substr(0, page.find('<'));
    page.remove_prefix(part.size());
    require(page.starts_with(kClose));
    page.remove_prefix(kClose.size());
    look_into(id, unpacked(part));
  }
}

std::string page_of(const PageParts& parts) {
  return assemble_page(std::string(kBegin) + std::string(kPageDataMark) + std::string(kEnd), kAbout, parts).value();
}

// Who makes the parts has seen all of it, and may be somebody else's by then.
void try_parts(std::string_view bytes) {
  const Result<PageParts> parts = decode_parts(bytes);
  if (!parts) return;
  require(encode_parts(*parts) == bytes);
  const Result<std::string> page = assemble_page(kPageDataMark, kAbout, *parts);
  if (!page) return;
  const auto markup = static_cast<size_t>(std::ranges::count(*page, '<'));
  require(markup == 2 * (4 + parts->segments.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(input), std::min<size_t>(size, 4096));
  try_parts(bytes);
  HtmlExport made;
  uint64_t now_ns = 1'000'000'000;
  for (std::string_view rest = bytes; rest.size() >= 2;) {
    if (!made.add(next_event(rest, now_ns))) return 0;
  }
  look_at(page_of(made.finish()));
  return 0;
}
