#include "base/library_pages.h"

#include <sys/mman.h>

#include <charconv>
#include <cstdint>
#include <string_view>

#include "base/file.h"

namespace cairn {
namespace {

constexpr size_t kMaxMapsBytes = size_t{4} << 20;  // some 700 bytes for each mapping

struct Mapping {
  uintptr_t begin = 0;
  uintptr_t end = 0;
  bool is_file_to_read = false;
  bool is_changed = false;
};

// "7f0c5a2d6000-7f0c5a2f8000 r-xp 00001000 fe:00 1234   /usr/lib/libc.so.6"; nothing from a line about a mapping's
// pages.
Mapping parse_first_line(std::string_view line) {
  Mapping mapping;
  const char* const stop = line.data() + line.size();
  const auto begin = std::from_chars(line.data(), stop, mapping.begin, 16);
  if (begin.ec != std::errc() || begin.ptr == stop || *begin.ptr != '-') return {};
  const auto end = std::from_chars(begin.ptr + 1, stop, mapping.end, 16);
  if (end.ec != std::errc() || stop - end.ptr < 5) return {};
  const std::string_view mode(end.ptr + 1, 4);
  mapping.is_file_to_read = mode[0] == 'r' && mode[1] == '-' && mode[3] == 'p' && line.find('/') != line.npos;
  return mapping;
}

// "Anonymous:             0 kB" is what an untouched mapping says, and of changed pages that are swapped out "Swap:".
bool tells_of_changes(std::string_view line) {
  return (line.starts_with("Anonymous:") || line.starts_with("Swap:")) && !line.ends_with(" 0 kB");
}

}  // namespace

void forget_library_pages() {
  const Result<std::string> maps = read_file("/proc/self/smaps", kMaxMapsBytes);
  if (!maps) return;
  Mapping mapping;
  for (std::string_view rest = *maps; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (const Mapping next = parse_first_line(line); next.end != 0) mapping = next;
    mapping.is_changed = mapping.is_changed || tells_of_changes(line);
    const bool is_last_line = line.starts_with("VmFlags:");
    if (!is_last_line || !mapping.is_file_to_read || mapping.is_changed) continue;
    ::madvise(reinterpret_cast<void*>(mapping.begin), mapping.end - mapping.begin, MADV_DONTNEED);
  }
}

}  // namespace cairn
