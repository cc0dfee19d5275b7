#pragma once

#include <string>

#include "base/result.h"

namespace cairn::cli {

// Where a password comes from, in this order: standard input's first line (--password-stdin), the first line of the
// file that CAIRN_PASSWORD_FILE names, the terminal (/dev/tty, without echo; the terminal's modes are restored on
// signals too). `prompt` is shown on the terminal alone. At most 72 bytes: bcrypt reads no more.
Result<std::string> read_password(bool from_stdin, const std::string& prompt);

// As above; on the terminal it is asked for twice and both must agree.
Result<std::string> read_new_password(bool from_stdin, const std::string& prompt);

}  // namespace cairn::cli
