#pragma once

#include <cstddef>
#include <cstdlib>

namespace cairn {

// How often a test that could go on for hours does what it does: seconds' worth as a rule, all that was promised with
// CAIRN_TEST_LONG set (scripts/test --all).
inline bool is_long_form() { return std::getenv("CAIRN_TEST_LONG") != nullptr; }
inline size_t short_or_long(size_t in_short, size_t in_long) { return is_long_form() ? in_long : in_short; }

}  // namespace cairn
