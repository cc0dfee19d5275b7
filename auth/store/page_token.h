#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cairn::auth {

// Where the next page begins: after the row with this number and, among equal numbers, this text. Opaque to clients.
struct PagePosition {
  int64_t number = 0;
  std::string text = {};
};

std::string make_page_token(char list, const PagePosition& position);
// `list` tells lists apart, so that a token of one is refused by another.
//   fails  kInvalid
Result<PagePosition> parse_page_token(char list, std::string_view token);

}  // namespace cairn::auth
