#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/async.h"
#include "base/result.h"
#include "tunnel/connect.h"
#include "tunnel/tls_stream.h"

namespace cairn::tunnel {

// An HTTP proxy that lets connections out of a network which has no other way (RFC 9110 §9.3.6, CONNECT).
struct HttpProxy {
  Address address;
  std::string credentials{};  // "user:password", empty: none
};

// The variables by which curl(1) and most programs find it, read for each connection anew.
struct HttpProxyVariables {
  std::string https_proxy{};  // http://[USER:PASSWORD@]HOST[:PORT], percent-encoded; empty: none
  std::string no_proxy{};     // "*", or hosts, ".domains", addresses and networks, separated by commas
};
// HTTPS_PROXY or https_proxy, NO_PROXY or no_proxy: the lower case wins, as with curl.
HttpProxyVariables http_proxy_variables();

// By which proxy `to` is reached; none: directly.
//   fails  kInvalid: the variable holds no http:// address (a proxy that itself wants TLS is not supported)
Result<std::optional<HttpProxy>> http_proxy_for(const Address& to, const HttpProxyVariables& variables);

// Asks the proxy at the other end of `socket` for a connection to `to`; from then on the socket leads there. Borrowed.
//   fails  kDenied with the proxy's status line; kClosed, kTooLarge, kInvalid when it answers something else
awaitable<Result<void>> http_connect(Socket* socket, Address to, std::string credentials);

}  // namespace cairn::tunnel
