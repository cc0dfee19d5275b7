#pragma once

#include <string>
#include <string_view>

#include "auth/store/records.h"
#include "base/result.h"

namespace cairn::auth {

// The shapes and lengths of what clients send, checked before anything else is done with it. All fail with kInvalid and
// a sentence that shows the shape.

constexpr size_t kMaxLabels = 32;
constexpr size_t kMaxListEntries = 64;
constexpr size_t kMaxTextBytes = 1024;

// A person, a role, a token: letters, digits, "._@-", up to 64, beginning with a letter or digit. Also what stands in a
// certificate's URI, hence no "/" and no blank.
Result<void> check_name(std::string_view what, std::string_view name);
// A host: [a-z0-9]([a-z0-9.-]{0,62}).
Result<void> check_host_name(std::string_view name);
// A UNIX account: [A-Za-z0-9_][A-Za-z0-9_.-]{0,31}.
Result<void> check_login(std::string_view login);
// At most 32; keys [A-Za-z0-9_./-]{1,64}, values printable, at most 256 bytes.
Result<void> check_labels(const google::protobuf::Map<std::string, std::string>& labels);
// Free text of at most `limit_bytes`, without NUL.
Result<void> check_text(std::string_view what, std::string_view text, size_t limit_bytes = kMaxTextBytes);

}  // namespace cairn::auth
