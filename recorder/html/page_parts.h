#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cairn::recorder {

// What a page shows of a recording, each part packed(): who made them has seen hostile bytes and is not believed.
struct PageParts {
  std::string index;
  std::string events;
  std::string lines;
  std::vector<std::string> segments;  // at least one
};

// Where the page takes the data.
constexpr std::string_view kPageDataMark = "<!-- data -->";
// What a page may weigh.
constexpr size_t kMaxPageBytes = size_t{256} << 20;
constexpr size_t kMaxPageSegments = 100'000;

// As bytes, and back.
std::string encode_parts(const PageParts& parts);
//   fails  kCorrupt: these are none, or too many
Result<PageParts> decode_parts(std::string_view bytes);

// The file.
//   page   with kPageDataMark in it
//   about  JSON: what the page says of the recording as a whole, which no part has a say in
//   fails  kCorrupt: a part holds more than base64, so that it could become markup
Result<std::string> assemble_page(std::string_view page, std::string_view about, const PageParts& parts);

}  // namespace cairn::recorder
