#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "recorder/chunk.h"

namespace cairn::recorder {

// Length of the UTF-8 character that `lead` begins, 1..4; 0 when none begins so.
size_t utf8_length(unsigned char lead);
// True when `next` may follow `lead` as the second byte: neither overlong, nor a surrogate, nor beyond U+10FFFF.
bool is_utf8_second(unsigned char lead, unsigned char next);

// `character` is at most U+10FFFF.
void append_utf8(std::string& text, char32_t character);

bool is_utf8(std::string_view text);
// `text` with U+FFFD for each byte that belongs to no well-formed character.
std::string with_replacements(std::string_view text);

// Makes every string field of `event` valid UTF-8: protobuf would refuse to parse what it let us write, and programs
// choose some of them (comm, a command line).
void make_strings_valid(Event& event);

}  // namespace cairn::recorder
