#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cairn {

// A program's options, declared once: the flag, the key of the YAML file, the help text and the man page all come from
// this table. A key `listen_address` is the flag `--listen-address`. Flags win over the file. Values land in the
// variables given to add(), which must outlive parsing.
class Options {
 public:
  // `sentence` says what it is and its unit; the present value of *target is shown as the default.
  void add(std::string key, std::string* target, std::string sentence);
  void add(std::string key, std::filesystem::path* target, std::string sentence);
  void add(std::string key, bool* target, std::string sentence);
  void add(std::string key, uint64_t* target, uint64_t least, uint64_t most, std::string sentence);
  void add(std::string key, std::chrono::seconds* target, std::string sentence);  // "90", "90s", "15m", "12h", "7d"
  void add(std::string key, std::map<std::string, std::string>* target,
           std::string sentence);  // YAML mapping; flag "a=b,c=d"

  // Reads `--config FILE` (default_file when it exists and no flag is given; a named file must exist), then the flags.
  // Errors name the file and line, the key, and for an unknown key its nearest neighbour.
  Result<void> parse(int argc, const char* const* argv, const std::filesystem::path& default_file);

  // The file alone. `text` is YAML: one mapping at the top.
  Result<void> parse_yaml(std::string_view text, std::string_view file_name);

  bool help_wanted() const { return help_wanted_; }
  bool version_wanted() const { return version_wanted_; }
  // One line per option: flag, default, sentence.
  std::string help() const;

 private:
  struct Option {
    std::string key;
    std::string default_text;
    std::string sentence;
    bool is_flag = false;  // takes no value on the command line
    std::function<Result<void>(std::string_view)> set;
  };
  Result<const Option*> find(std::string_view key) const;
  Result<void> parse_file(const std::filesystem::path& path, bool must_exist);
  Result<void> parse_flag(const Option& option, std::string_view flag, const char* value);

  std::vector<Option> options_;
  bool help_wanted_ = false;
  bool version_wanted_ = false;
};

// "90", "90s", "15m", "12h", "7d" → seconds; at most ten years.
Result<std::chrono::seconds> parse_duration(std::string_view text);
// In the largest unit that says it exactly, as parse_duration() reads it.
std::string format_duration(std::chrono::seconds duration);
// "a=b,c=d". Keys and values must not be empty.
Result<std::map<std::string, std::string>> parse_labels(std::string_view text);
std::string format_labels(const std::map<std::string, std::string>& labels);

// The candidate at the smallest edit distance from `word`, or "" when none is near enough to be a slip of the hand.
std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace cairn
