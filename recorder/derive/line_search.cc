#include "recorder/derive/line_search.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace cairn::recorder {
namespace {

constexpr int64_t kMemoryBytes = int64_t{16} << 20;

// Walks a source's columns along with its text.
class Place {
 public:
  explicit Place(const derived::v1::Lines& lines) : lines_(lines) {}

  // False: there are fewer lines in the columns than in the text.
  bool go_to_line_at(size_t offset) {
    const std::string& text = lines_.text();
    const auto line_feeds = std::count(text.begin() + static_cast<std::ptrdiff_t>(offset_),
                                       text.begin() + static_cast<std::ptrdiff_t>(offset), '\n');
    offset_ = offset;
    for (int64_t left = line_feeds + (is_begun_ ? 0 : 1); left > 0; --left) {
      if (next_ >= lines_.times_ms_size() || next_ >= lines_.commands_size()) return false;
      time_ms_ += lines_.times_ms(next_);
      command_ += lines_.commands(next_);
      ++next_;
    }
    is_begun_ = true;
    return true;
  }

  uint64_t time_ms() const { return static_cast<uint64_t>(std::max<int64_t>(time_ms_, 0)); }
  uint64_t command() const { return static_cast<uint64_t>(std::max<int64_t>(command_, 0)); }

 private:
  const derived::v1::Lines& lines_;
  size_t offset_ = 0;
  bool is_begun_ = false;
  int next_ = 0;
  int64_t time_ms_ = 0;
  int64_t command_ = 0;
};

}  // namespace

LineSearch::LineSearch(std::unique_ptr<re2::RE2> expression) : expression_(std::move(expression)) {}
LineSearch::LineSearch(LineSearch&&) noexcept = default;
LineSearch::~LineSearch() = default;

Result<LineSearch> LineSearch::compile(const std::string& pattern, bool ignores_case) {
  if (pattern.size() > kMaxPatternBytes)
    return fail(Errc::kInvalid, fmt::format("the pattern has {} bytes, limit {}", pattern.size(), kMaxPatternBytes));
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_never_nl(true);
  options.set_case_sensitive(!ignores_case);
  options.set_max_mem(kMemoryBytes);
  // As it was given, for what is said of it.
  if (const re2::RE2 given(pattern, options); !given.ok())
    return fail(Errc::kInvalid, fmt::format("the pattern: {}", given.error()));
  auto expression = std::make_unique<re2::RE2>("(?m:" + pattern + ")", options);
  if (!expression->ok()) return fail(Errc::kInvalid, fmt::format("the pattern: {}", expression->error()));
  return LineSearch(std::move(expression));
}

Result<void> LineSearch::search(const derived::v1::Content& content, derived::v1::Source source,
                                const std::function<bool(const FoundLine&)>& use) const {
  if (source >= content.lines_size()) return {};
  const derived::v1::Lines& lines = content.lines(source);
  const std::string& text = lines.text();
  if (text.empty()) return {};
  if (text.back() != '\n') return fail(Errc::kCorrupt, "derived lines that do not end");
  Place place(lines);
  // Without the last line feed, behind which there is no line.
  for (size_t at = 0; at < text.size();) {
    re2::StringPiece found;
    if (!expression_->Match(text, at, text.size() - 1, re2::RE2::UNANCHORED, &found, 1)) return {};
    const auto offset = static_cast<size_t>(found.data() - text.data());
    const size_t before = offset == 0 ? std::string::npos : text.rfind('\n', offset - 1);
    const size_t begin = before == std::string::npos ? 0 : before + 1;
    const size_t end = text.find('\n', offset);
    if (!place.go_to_line_at(begin)) return fail(Errc::kCorrupt, "derived lines without times");
    const FoundLine line{.source = source,
                         .time_ms = place.time_ms(),
                         .command = place.command(),
                         .text = std::string_view(text).substr(begin, end - begin)};
    if (!use(line)) return {};
    at = end + 1;
  }
  return {};
}

}  // namespace cairn::recorder
