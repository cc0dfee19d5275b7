#pragma once

#include <string_view>

namespace cairn::agent {

// Signals by the names of RFC 4254 §6.10 ("TERM"), and those that POSIX has besides.

// 0: no such name.
int signal_number(std::string_view name);
// Empty: it has no name that an SSH client knows.
std::string_view signal_name(int number);

}  // namespace cairn::agent
