#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cairn::tunnel {

constexpr size_t kMaxClientHelloBytes = 16 * 1024;

// What a TLS client says first (RFC 8446 §4.1.2), as far as routing needs it.
struct ClientHello {
  std::vector<std::string> alpn;  // RFC 7301, in the client's order; empty when it offers none
  std::string server_name;        // RFC 6066 §3; empty when absent
};

// Reads it from the beginning of a connection, over record boundaries. nullopt: more bytes are needed. Fails with
// kInvalid when this is no TLS or the message breaks its format, with kTooLarge past kMaxClientHelloBytes. The bytes
// are a stranger's.
Result<std::optional<ClientHello>> parse_client_hello(std::string_view bytes);

}  // namespace cairn::tunnel
