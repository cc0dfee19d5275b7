#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "proto/derived.pb.h"

namespace re2 {
class RE2;
}

namespace cairn::recorder {

struct FoundLine {
  derived::v1::Source source;
  uint64_t time_ms;       // since the recording's beginning
  uint64_t command;       // its number; 0: none ran
  std::string_view text;  // the whole line; as long as the content lives
};

// A regular expression (RE2: linear in the text, whatever it says) over lines. Immutable; any thread.
class LineSearch {
 public:
  static constexpr size_t kMaxPatternBytes = 4096;

  //   fails  kInvalid: says what is wrong with the pattern
  static Result<LineSearch> compile(const std::string& pattern, bool ignores_case);
  LineSearch(LineSearch&&) noexcept;
  ~LineSearch();

  // Each line of this source that matches, in order, until `use` returns false.
  //   fails  kCorrupt: the content is not what a Deriver made
  Result<void> search(const derived::v1::Content& content, derived::v1::Source source,
                      const std::function<bool(const FoundLine&)>& use) const;

 private:
  explicit LineSearch(std::unique_ptr<re2::RE2> expression);

  std::unique_ptr<re2::RE2> expression_;
};

}  // namespace cairn::recorder
