#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/ssl/context.hpp>

#include "base/async.h"
#include "base/result.h"
#include "tunnel/identity.h"

namespace cairn::tunnel {

// Of plaintext that one TLS record carries at most, so that two of them fit into what is read at once.
constexpr size_t kTlsRecordBytes = 16'000;

// What a TLS connection is for, chosen by ALPN (RFC 7301): docs/protocol.md §1.
enum class Alpn { kAuth, kEnroll, kTunnel, kDial, kSsh, kHttp };
std::string_view alpn_name(Alpn alpn);  // "cairn-auth/1" …
std::optional<Alpn> alpn_of(std::string_view name);

// Settings and certificates of one connection type; TLS 1.3 alone, no resumption. Certificates are checked in the
// handshake, so that whoever is refused reads the reason from the alert: signed by the authority for its role (users by
// the user CA, all others by the host CA), valid now, of our cluster, of a role that belongs on this connection type.
// Immutable once made; shared by the connections that use it.
using TlsContext = std::shared_ptr<asio::ssl::context>;

// For a client with an identity. The server must be auth on cairn-auth/1 and a proxy on all other types; host names
// play no part.
Result<TlsContext> client_context(const Identity& me, Alpn alpn);
// For a client without an identity: cairn-enroll/1, where the CA pin decides after the handshake (connect.h), and
// http/1.1. Believes anyone until then.
Result<TlsContext> anonymous_client_context(Alpn alpn);

// For a server: one context per connection type. The chain that is presented includes the host CA, for pins to be
// checked against. cairn-enroll/1 and http/1.1 ask for no client certificate; cairn-auth/1 takes nodes, proxies and
// users, cairn-tunnel/1 and cairn-dial/1 nodes, cairn-ssh/1 users.
using ServerContexts = std::map<Alpn, TlsContext>;
Result<ServerContexts> server_contexts(const Identity& me, const std::vector<Alpn>& alpns);

// After a handshake in which the peer had to present a certificate: who it is.
Result<Peer> verified_peer(SSL* tls);

}  // namespace cairn::tunnel
