#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cairn::tunnel {

constexpr size_t kMaxProxyHeaderBytes = 4096;  // addresses take 36, the rest is for what we pass over

// What a TCP load balancer says of a connection before the client's first byte: the PROXY protocol, version 2
// (haproxy.org, doc/proxy-protocol.txt §2.2).
struct ProxyHeader {
  size_t bytes = 0;      // of the header; what follows is the client's
  std::string source{};  // "192.0.2.7:5022", "[2001:db8::7]:5022"; empty: the balancer speaks for itself (a health
                         // check), or for a client without an IP address
};

// Reads it from the beginning of a connection. nullopt: more bytes are needed. Extensions (TLVs) are passed over.
//   fails  kInvalid: this is no such header; version 1 (text) is named. kTooLarge past kMaxProxyHeaderBytes.
// The bytes are a stranger's until the connection's address says that they are the balancer's.
Result<std::optional<ProxyHeader>> parse_proxy_header(std::string_view bytes);

}  // namespace cairn::tunnel
