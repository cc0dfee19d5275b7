#include "recorder/proof/checkpoint.h"

#include <charconv>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/bytes.h"
#include "recorder/proof/merkle.h"

namespace cairn::recorder {
namespace {

// Decimal without leading zeros, so that one checkpoint has one text.
std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (text.size() > 1 && text[0] == '0') return std::nullopt;
  return value;
}

std::optional<std::string> hash_of(std::string_view text) {
  Result<std::string> bytes = from_base64(text);
  if (!bytes || bytes->size() != kHashBytes || to_base64(*bytes) != text) return std::nullopt;
  return std::move(*bytes);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool read_extension(std::string_view line, Checkpoint& checkpoint) {
  const std::vector<std::string_view> words = split(line, ' ');
  if (words[0] == "time") {
    const std::optional<uint64_t> wall_ns = words.size() == 2 ? number_of(words[1]) : std::nullopt;
    if (wall_ns) checkpoint.wall_ns = *wall_ns;
    return wall_ns.has_value();
  }
  if (words[0] != "open") return true;
  if (words.size() != 4) return false;
  const std::optional<uint64_t> chunk = number_of(words[1]);
  const std::optional<uint64_t> bytes = number_of(words[2]);
  std::optional<std::string> hash = hash_of(words[3]);
  if (!chunk || !bytes || !hash) return false;
  checkpoint.open = {.chunk = *chunk, .bytes = *bytes, .hash = std::move(*hash)};
  return true;
}

}  // namespace

std::string checkpoint_text(const Checkpoint& checkpoint) {
  std::string text = fmt::format("{}\n{}\n{}\n", checkpoint.origin, checkpoint.size, to_base64(checkpoint.root));
  if (checkpoint.wall_ns != 0) text += fmt::format("time {}\n", checkpoint.wall_ns);
  const std::optional<Checkpoint::Open>& open = checkpoint.open;
  if (open) text += fmt::format("open {} {} {}\n", open->chunk, open->bytes, to_base64(open->hash));
  return text;
}

Result<Checkpoint> parse_checkpoint(std::string_view text) {
  if (!text.ends_with('\n')) return fail(Errc::kCorrupt, "a checkpoint that ends inside a line");
  const std::vector<std::string_view> lines = split(text.substr(0, text.size() - 1), '\n');
  if (lines.size() < 3 || lines[0].empty()) return fail(Errc::kCorrupt, "a checkpoint of fewer than three lines");
  const std::optional<uint64_t> size = number_of(lines[1]);
  std::optional<std::string> root = hash_of(lines[2]);
  if (!size || !root) return fail(Errc::kCorrupt, "a checkpoint without size and root");
  Checkpoint checkpoint{.origin = std::string(lines[0]), .size = *size, .root = std::move(*root)};
  for (size_t i = 3; i < lines.size(); ++i) {
    if (lines[i].empty() || !read_extension(lines[i], checkpoint)) {
      return fail(Errc::kCorrupt, fmt::format("a checkpoint whose line {} cannot be read", i + 1));
    }
  }
  return checkpoint;
}

}  // namespace cairn::recorder
