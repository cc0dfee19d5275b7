#pragma once

#include <cstdint>
#include <string>

#include "proto/recording.pb.h"

namespace cairn::recorder {

// One line for people about one event, without time and line end; empty for terminal output. Foreign bytes are quoted
// and escaped, so the line is printable ASCII and safe on any terminal. What came from user memory is marked (claimed).
// At most kMaxTextBytes.
//   exec  pid 123 uid 1000 /usr/bin/cat  cat /etc/hostname
//   open  /etc/hostname O_RDONLY = 3
//   connect 127.0.0.1:4444 = ECONNREFUSED
std::string describe(const recording::v1::Event& event);

constexpr size_t kMaxTextBytes = 4096;

// "O_WRONLY|O_CREAT|O_TRUNC": flags of open(2) with this machine's values; bits without a name in
// hexadecimal.
std::string open_flags_text(uint32_t flags);

// "ENOENT" for 2 or -2; "errno 4095" when it has no name.
std::string errno_name(int errno_value);

}  // namespace cairn::recorder
