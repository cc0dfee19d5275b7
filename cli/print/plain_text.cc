#include "cli/print/plain_text.h"

#include <wchar.h>

#include <cstdlib>

#include <fmt/format.h>

#include "recorder/utf8.h"

namespace cairn::cli {
namespace {

struct CodePoint {
  char32_t value;
  size_t bytes;  // 0: not UTF-8 here
};

CodePoint decode(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t bytes = recorder::utf8_length(byte(0));
  if (bytes == 0 || text.size() < bytes) return {0, 0};
  if (bytes == 1) return {byte(0), 1};
  if (!recorder::is_utf8_second(byte(0), byte(1))) return {0, 0};
  char32_t value = byte(0) & (0x7f >> bytes);
  for (size_t i = 1; i < bytes; i++) {
    if ((byte(i) & 0xc0) != 0x80) return {0, 0};
    value = value << 6 | (byte(i) & 0x3f);
  }
  return {value, bytes};
}

// Directional overrides can make a line read as something else; they are no more welcome than ESC.
bool is_control(char32_t value) {
  return value < 0x20 || (value >= 0x7f && value < 0xa0) || value == 0x200e || value == 0x200f ||
         (value >= 0x2028 && value <= 0x202e) || (value >= 0x2066 && value <= 0x2069);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint point = decode(text);
    const size_t bytes = point.bytes == 0 ? 1 : point.bytes;
    if (point.bytes != 0 && !is_control(point.value)) {
      out += text.substr(0, bytes);
    } else if (text[0] == '\n') {
      out += "\\n";
    } else if (text[0] == '\t') {
      out += "\\t";
    } else {
      for (const char byte : text.substr(0, bytes)) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    }
    text.remove_prefix(bytes);
  }
  return out;
}

size_t column_count(std::string_view text) {
  size_t columns = 0;
  while (!text.empty()) {
    const CodePoint point = decode(text);
    const int width = point.bytes == 0 ? 1 : ::wcwidth(static_cast<wchar_t>(point.value));
    columns += width < 0 ? 1 : static_cast<size_t>(width);
    text.remove_prefix(point.bytes == 0 ? 1 : point.bytes);
  }
  return columns;
}

std::string format_span(int64_t seconds) {
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 120 * 60) return fmt::format("{} min", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} d", seconds / 86400);
}

std::string format_relative(int64_t wall_s, int64_t now_s) {
  if (wall_s == 0) return "never";
  if (wall_s == now_s) return "now";
  return wall_s < now_s ? format_span(now_s - wall_s) + " ago" : "in " + format_span(wall_s - now_s);
}

std::string format_bytes(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  const char* unit = "B";
  for (const char* next : {"KiB", "MiB", "GiB", "TiB"}) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return fmt::format("{:.1f} {}", value, unit);
}

}  // namespace cairn::cli
