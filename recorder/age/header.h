#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cairn::recorder {

// One wrapping of the file key.
struct AgeStanza {
  std::vector<std::string> arguments;  // the first is the type
  std::string body;
};

struct AgeHeader {
  std::vector<AgeStanza> stanzas;
  std::string mac;              // 32 bytes
  std::string_view mac_covers;  // the header's text up to and with "---"
  size_t bytes = 0;             // of the header; the payload follows
};

// The header at the beginning of `file`, whose bytes it refers to. Strict: one text for each header.
//   fails  kCorrupt: the sentence says what is wrong with it
Result<AgeHeader> parse_age_header(std::string_view file);

// The header's text up to and with "---", which the MAC covers.
std::string age_header_text(const std::vector<AgeStanza>& stanzas);
// The same with the MAC and the line's end.
std::string finish_age_header(std::string text, std::string_view mac);

// RFC 4648 without padding, canonical.
std::string age_base64(std::string_view bytes);
Result<std::string> from_age_base64(std::string_view text);

}  // namespace cairn::recorder
