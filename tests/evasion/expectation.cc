#include "tests/evasion/expectation.h"

#include <fcntl.h>

#include <algorithm>
#include <optional>
#include <stdexcept>

namespace cairn::evasion {
namespace {

std::vector<std::string> split(const std::string& line, char at) {
  std::vector<std::string> parts;
  size_t from = 0;
  for (size_t to = 0; to != std::string::npos; from = to + 1) {
    to = line.find(at, from);
    parts.push_back(line.substr(from, to - from));
  }
  return parts;
}

// A key that ends with ~ asks for a part of the value.
bool matches(const Flat& event, const std::string& key, const std::string& value) {
  const bool is_part = key.ends_with('~');
  const auto [first, last] = event.equal_range(is_part ? key.substr(0, key.size() - 1) : key);
  return std::any_of(first, last, [&](const auto& entry) {
    return is_part ? entry.second.find(value) != std::string::npos : entry.second == value;
  });
}

const std::string* find(const std::vector<std::pair<std::string, std::string>>& keys, std::string_view key) {
  const auto found = std::ranges::find_if(keys, [&](const auto& entry) { return entry.first == key; });
  return found == keys.end() ? nullptr : &found->second;
}

bool is_of_the_race(const Flat& event) {
  const auto flags = event.find("flags");
  return matches(event, "kind", "open") && flags != event.end() && (std::stoul(flags->second) & O_APPEND) != 0 &&
         !event.find("result")->second.starts_with('-');
}

// Of the opens that succeeded, `count` show this path, and all of these this inode.
bool is_true_race(const std::vector<std::pair<std::string, std::string>>& keys, const Seen& seen) {
  size_t of_path = 0, of_both = 0, all = 0;
  for (const Flat& event : seen.events) {
    if (!is_of_the_race(event)) continue;
    ++all;
    if (!matches(event, "path", *find(keys, "path"))) continue;
    ++of_path;
    of_both += matches(event, "ino", *find(keys, "ino")) ? 1 : 0;
  }
  return all == std::stoul(*find(keys, "race")) && of_path == std::stoul(*find(keys, "count")) && of_both == of_path;
}

}  // namespace

Expectation Expectation::parse(const std::string& line) {
  std::vector<std::string> parts = split(line, '\t');
  Expectation expectation;
  if (parts[0] == "skip" && parts.size() == 2) {
    expectation.level = Level::kSkip;
    expectation.text = parts[1];
    return expectation;
  }
  if (parts[0] != "Y" && parts[0] != "c") throw std::invalid_argument("no expectation: " + line);
  expectation.level = parts[0] == "Y" ? Level::kTruth : Level::kClaim;
  expectation.text = line;
  for (size_t i = 1; i < parts.size(); ++i) {
    const size_t equals = parts[i].find('=');
    if (equals == std::string::npos) throw std::invalid_argument("no key=value: " + line);
    expectation.keys.emplace_back(parts[i].substr(0, equals), parts[i].substr(equals + 1));
  }
  return expectation;
}

bool Expectation::is_met_by(const Seen& seen) const {
  if (find(keys, "race") != nullptr) return is_true_race(keys, seen);
  if (find(keys, "accounted") != nullptr) return seen.is_accounted;
  const std::string* wanted = find(keys, "at_least");
  const size_t count = std::ranges::count_if(seen.events, [&](const Flat& event) {
    return std::ranges::all_of(
        keys, [&](const auto& key) { return key.first == "at_least" || matches(event, key.first, key.second); });
  });
  return count >= (wanted != nullptr ? std::stoul(*wanted) : 1);
}

}  // namespace cairn::evasion
