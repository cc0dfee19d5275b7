#include "auth/store/page_token.h"

#include <charconv>

#include <fmt/format.h>

#include "base/bytes.h"

namespace cairn::auth {

std::string make_page_token(char list, const PagePosition& position) {
  return to_hex(fmt::format("{}{}/{}", list, position.number, position.text));
}

Result<PagePosition> parse_page_token(char list, std::string_view token) {
  const Failure foreign = fail(Errc::kInvalid, "page token: not one that this list has given; begin without one");
  constexpr size_t kMaxTokenChars = 256;
  if (token.size() > kMaxTokenChars) return foreign;
  const Result<std::string> text = from_hex(token);
  if (!text || text->size() < 2 || text->front() != list) return foreign;
  PagePosition position;
  const char* end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data() + 1, end, position.number);
  if (error != std::errc() || stop == end || *stop != '/') return foreign;
  position.text.assign(stop + 1, end);
  return position;
}

}  // namespace cairn::auth
