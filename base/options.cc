#include "base/options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "base/file.h"

namespace cairn {
namespace {

constexpr size_t kMaxConfigBytes = 1 << 20;
constexpr std::chrono::seconds kMaxDuration = std::chrono::hours(24 * 3650);

std::string flag_of(std::string_view key) {
  std::string flag = "--" + std::string(key);
  std::ranges::replace(flag, '_', '-');
  return flag;
}

std::string key_of(std::string_view flag) {
  std::string key(flag.substr(2));
  std::ranges::replace(key, '-', '_');
  return key;
}

Result<uint64_t> parse_number(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty())
    return fail(Errc::kInvalid, fmt::format("\"{}\" is not a whole number", text));
  return number;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); j++) row[j] = j;
  for (size_t i = 1; i <= a.size(); i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); j++) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

// A YAML value as the text that a flag would carry.
Result<std::string> flat_text(const YAML::Node& node) {
  if (node.IsScalar()) return node.Scalar();
  if (node.IsNull()) return std::string();
  if (!node.IsMap()) return fail(Errc::kInvalid, "expected a value or a mapping of names to values");
  std::string text;
  for (const auto& entry : node) {
    if (!entry.first.IsScalar() || !entry.second.IsScalar())
      return fail(Errc::kInvalid, "expected names and values in the mapping");
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", entry.first.Scalar(), entry.second.Scalar());
  }
  return text;
}

}  // namespace

Result<std::chrono::seconds> parse_duration(std::string_view text) {
  uint64_t unit = 1;
  std::string_view digits = text;
  if (!text.empty()) {
    switch (text.back()) {
      case 's':
        unit = 1;
        digits.remove_suffix(1);
        break;
      case 'm':
        unit = 60;
        digits.remove_suffix(1);
        break;
      case 'h':
        unit = 3600;
        digits.remove_suffix(1);
        break;
      case 'd':
        unit = 86400;
        digits.remove_suffix(1);
        break;
      default: break;
    }
  }
  const Result<uint64_t> number = parse_number(digits);
  if (!number || *number > static_cast<uint64_t>(kMaxDuration.count()) / unit)
    return fail(Errc::kInvalid, fmt::format("\"{}\" is not a duration; write for example 90s, 15m, 12h or 7d", text));
  return std::chrono::seconds(*number * unit);
}

std::string format_duration(std::chrono::seconds duration) {
  constexpr std::array<std::pair<int64_t, char>, 3> kUnits = {{{86'400, 'd'}, {3600, 'h'}, {60, 'm'}}};
  for (const auto& [seconds, letter] : kUnits) {
    if (duration.count() != 0 && duration.count() % seconds == 0)
      return fmt::format("{}{}", duration.count() / seconds, letter);
  }
  return fmt::format("{}s", duration.count());
}

Result<std::map<std::string, std::string>> parse_labels(std::string_view text) {
  std::map<std::string, std::string> labels;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0 || equals + 1 == pair.size())
      return fail(Errc::kInvalid, fmt::format("\"{}\" is not of the form name=value", pair));
    labels[std::string(pair.substr(0, equals))] = std::string(pair.substr(equals + 1));
  }
  return labels;
}

std::string format_labels(const std::map<std::string, std::string>& labels) {
  std::string text;
  for (const auto& [name, value] : labels) text += fmt::format("{}{}={}", text.empty() ? "" : ",", name, value);
  return text;
}

std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates) {
  std::string nearest;
  size_t least = word.size() / 3 + 2;
  for (const std::string& candidate : candidates) {
    if (const size_t distance = edit_distance(word, candidate); distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

void Options::add(std::string key, std::string* target, std::string sentence) {
  options_.push_back({.key = std::move(key),
                      .default_text = *target,
                      .sentence = std::move(sentence),
                      .set = [target](std::string_view text) -> Result<void> {
                        *target = std::string(text);
                        return {};
                      }});
}

void Options::add(std::string key, std::filesystem::path* target, std::string sentence) {
  options_.push_back({.key = std::move(key),
                      .default_text = target->string(),
                      .sentence = std::move(sentence),
                      .set = [target](std::string_view text) -> Result<void> {
                        if (text.empty()) return fail(Errc::kInvalid, "expected a path");
                        *target = std::filesystem::path(text);
                        return {};
                      }});
}

void Options::add(std::string key, bool* target, std::string sentence) {
  options_.push_back({.key = std::move(key),
                      .default_text = *target ? "true" : "false",
                      .sentence = std::move(sentence),
                      .is_flag = true,
                      .set = [target](std::string_view text) -> Result<void> {
                        if (text != "true" && text != "false")
                          return fail(Errc::kInvalid, fmt::format("\"{}\" is neither true nor false", text));
                        *target = text == "true";
                        return {};
                      }});
}

void Options::add(std::string key, uint64_t* target, uint64_t least, uint64_t most, std::string sentence) {
  options_.push_back({.key = std::move(key),
                      .default_text = std::to_string(*target),
                      .sentence = std::move(sentence),
                      .set = [target, least, most](std::string_view text) -> Result<void> {
                        const Result<uint64_t> number = parse_number(text);
                        if (!number) return fail(number);
                        if (*number < least || *number > most)
                          return fail(Errc::kInvalid, fmt::format("{} is not within {}..{}", *number, least, most));
                        *target = *number;
                        return {};
                      }});
}

void Options::add(std::string key, std::chrono::seconds* target, std::string sentence) {
  options_.push_back({.key = std::move(key),
                      .default_text = fmt::format("{}s", target->count()),
                      .sentence = std::move(sentence),
                      .set = [target](std::string_view text) -> Result<void> {
                        const Result<std::chrono::seconds> duration = parse_duration(text);
                        if (!duration) return fail(duration);
                        *target = *duration;
                        return {};
                      }});
}

void Options::add(std::string key, std::map<std::string, std::string>* target, std::string sentence) {
  options_.push_back({.key = std::move(key),
                      .default_text = format_labels(*target),
                      .sentence = std::move(sentence),
                      .set = [target](std::string_view text) -> Result<void> {
                        Result<std::map<std::string, std::string>> labels = parse_labels(text);
                        if (!labels) return fail(labels);
                        *target = std::move(*labels);
                        return {};
                      }});
}

Result<const Options::Option*> Options::find(std::string_view key) const {
  std::vector<std::string> keys;
  for (const Option& option : options_) {
    if (option.key == key) return &option;
    keys.push_back(option.key);
  }
  const std::string nearest = nearest_word(key, keys);
  return fail(Errc::kInvalid, nearest.empty() ? fmt::format("unknown key \"{}\"", key)
                                              : fmt::format("unknown key \"{}\"; did you mean \"{}\"?", key, nearest));
}

Result<void> Options::parse_yaml(std::string_view text, std::string_view file_name) {
  YAML::Node root;
  try {
    root = YAML::Load(std::string(text));
  } catch (const YAML::Exception& error) {
    return fail(Errc::kInvalid, fmt::format("{}:{}: {}", file_name, error.mark.line + 1, error.msg));
  }
  if (root.IsNull()) return {};
  if (!root.IsMap()) return fail(Errc::kInvalid, fmt::format("{}:1: expected \"key: value\" lines", file_name));
  std::set<std::string> seen;
  for (const auto& entry : root) {
    const int line = entry.first.Mark().line + 1;
    const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
    const Result<const Option*> option = find(key);
    if (!option) return fail(option, fmt::format("{}:{}", file_name, line));
    if (!seen.insert(key).second)
      return fail(Errc::kInvalid, fmt::format("{}:{}: {} is set a second time", file_name, line, key));
    const Result<std::string> value = flat_text(entry.second);
    if (!value) return fail(value, fmt::format("{}:{}: {}", file_name, line, key));
    if (const Result<void> set = (*option)->set(*value); !set)
      return fail(set, fmt::format("{}:{}: {}", file_name, line, key));
  }
  return {};
}

Result<void> Options::parse_file(const std::filesystem::path& path, bool must_exist) {
  if (!must_exist && !std::filesystem::exists(path)) return {};
  const Result<std::string> text = read_file(path, kMaxConfigBytes);
  if (!text) return fail(text, "configuration file");
  return parse_yaml(*text, path.string());
}

Result<void> Options::parse_flag(const Option& option, std::string_view flag, const char* value) {
  if (value == nullptr) return fail(Errc::kInvalid, fmt::format("{} needs a value; --help lists the options", flag));
  if (const Result<void> set = option.set(value); !set) return fail(set, std::string(flag));
  return {};
}

Result<void> Options::parse(int argc, const char* const* argv, const std::filesystem::path& default_file) {
  std::vector<std::string> words(argv + 1, argv + argc);
  std::filesystem::path file = default_file;
  bool is_named = false;
  for (size_t i = 0; i < words.size(); i++) {
    if (words[i] == "--help" || words[i] == "-h") help_wanted_ = true;
    if (words[i] == "--version") version_wanted_ = true;
    const bool joined = words[i].starts_with("--config=");
    if (!joined && words[i] != "--config") continue;
    if (!joined && i + 1 == words.size()) return fail(Errc::kInvalid, "--config needs a file");
    file = joined ? words[i].substr(9) : words[i + 1];
    is_named = true;
    words.erase(words.begin() + static_cast<ptrdiff_t>(i),
                words.begin() + static_cast<ptrdiff_t>(joined ? i + 1 : i + 2));
    i--;
  }
  if (help_wanted_ || version_wanted_) return {};
  if (const Result<void> read = parse_file(file, is_named); !read) return fail(read);

  for (size_t i = 0; i < words.size(); i++) {
    const std::string flag = words[i].substr(0, words[i].find('='));
    if (!flag.starts_with("--"))
      return fail(Errc::kInvalid, fmt::format("unexpected argument \"{}\"; --help lists the options", words[i]));
    const Result<const Option*> option = find(key_of(flag));
    if (!option) return fail(Errc::kInvalid, fmt::format("unknown option {}; --help lists the options", flag));
    const char* value = nullptr;
    if (flag.size() < words[i].size()) {
      value = words[i].c_str() + flag.size() + 1;
    } else if ((*option)->is_flag) {
      value = "true";
    } else if (i + 1 < words.size()) {
      value = words[++i].c_str();
    }
    if (const Result<void> set = parse_flag(**option, flag, value); !set) return fail(set);
  }
  return {};
}

std::string Options::help() const {
  std::string text =
      fmt::format("  {:<34} {}\n", "--config FILE", "YAML file; its keys are these options with _ for -");
  for (const Option& option : options_) {
    const std::string flag = flag_of(option.key) + (option.is_flag ? "" : " VALUE");
    text += fmt::format(
        "  {:<34} {}{}\n", flag, option.sentence,
        option.default_text.empty() || option.is_flag ? "" : fmt::format(" (default {})", option.default_text));
  }
  return text + fmt::format("  {:<34} {}\n", "--version", "print the version and exit");
}

}  // namespace cairn
