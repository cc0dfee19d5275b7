#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/evasion/flatten.h"

namespace cairn::evasion {

// What a session of the corpus recorded.
struct Seen {
  std::vector<Flat> events;
  bool is_accounted = false;  // every number from 1 to the last is there, or was counted as dropped
};

// One line of a program: what must have been seen.
struct Expectation {
  enum class Level { kTruth, kClaim, kSkip };
  Level level = Level::kTruth;
  std::string text;  // of a skip the reason
  std::vector<std::pair<std::string, std::string>> keys;

  // Throws std::invalid_argument for a line that is none.
  static Expectation parse(const std::string& line);
  bool is_met_by(const Seen& seen) const;
};

}  // namespace cairn::evasion
