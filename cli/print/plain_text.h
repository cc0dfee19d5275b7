#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cairn::cli {

// `text` safe for a terminal and for one line: control characters (C0, DEL, C1) become \n, \t or \xNN, bytes that are
// no UTF-8 become \xNN.
std::string printable(std::string_view text);

// The number of columns that printable() text takes: code points, those of East Asian width counted as two
// (wcwidth(3)).
size_t column_count(std::string_view printable_text);

// "42 s", "5 min", "3 h", "12 d": rounded down to the largest unit that fits.
std::string format_span(int64_t seconds);
// "3 h ago", "in 11 h", "now", "never" for 0.
std::string format_relative(int64_t wall_s, int64_t now_s);
// "1.5 MiB"
std::string format_bytes(uint64_t bytes);

}  // namespace cairn::cli
