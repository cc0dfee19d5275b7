#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/async.h"
#include "base/result.h"
#include "proto/enroll.pb.h"
#include "tunnel/identity.h"
#include "tunnel/stream.h"

namespace cairn::tunnel {

struct Address {
  std::string host;  // a name or an address, IPv6 without brackets
  uint16_t port = 0;

  bool operator==(const Address&) const = default;
};
// "host:port", "[v6]:port", "host" with the default port. Fails with kInvalid.
Result<Address> parse_address(std::string_view text, uint16_t default_port);
std::string address_text(const Address& address);

// All of them go by the HTTP proxy that HTTPS_PROXY names, if any (http_connect.h).

// Connects, shakes hands as `me`, and checks that who answers carries the expected role in our cluster (auth's
// connection types end at auth, even through a proxy). Fails with kUnavailable when nobody answers, kUnauthenticated
// when a certificate is refused on either side, kTimeout. That auth or a proxy refused *our* certificate shows at the
// first read (TLS 1.3), as kUnauthenticated too.
awaitable<Result<std::unique_ptr<Connection>>> connect(Address to, std::shared_ptr<const Identity> me, Alpn alpn,
                                                       Role expected, Deadline deadline);

// TCP alone, for a relay that passes on what it must not read. Fails with kUnavailable, kTimeout.
awaitable<Result<std::unique_ptr<Connection>>> connect_bare(Address to, Deadline deadline);

// cairn-enroll/1 in one call, to a proxy or to auth itself. The server is believed when a CA of its chain carries
// `ca_pin` and has signed its certificate, and when that says "auth". An empty pin believes whatever CA comes: only for
// an explicit "insecure" of the person. An EnrollError of the server becomes kDenied with its sentence. A pin of
// another form: kInvalid; another CA: kDenied, naming both pins.
awaitable<Result<enroll::v1::EnrollResponse>> enroll(Address to, std::string ca_pin, enroll::v1::EnrollRequest request,
                                                     Deadline deadline);

}  // namespace cairn::tunnel
