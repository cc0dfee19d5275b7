#pragma once

#include <span>
#include <string>
#include <vector>

namespace cairn::auth {

// One step of the schema. Steps are only ever appended; what has shipped is not changed.
struct Migration {
  int version;  // from 1, without gaps
  const char* name;
  std::vector<const char*> statements;
};

// All steps from an empty database to what this program works with.
std::span<const Migration> migrations();

}  // namespace cairn::auth
