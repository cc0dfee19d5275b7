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

// What a TLS connection is for, chosen by ALPN (RFC 7301): docs/protocol.md §1.
enum class Alpn { kAuth, kEnroll, kTunnel, kDial, kSsh, kHttp };
std::string_view alpn_name(Alpn alpn);  // "cairn-auth/1" …
std::optional<Alpn> alpn_of(std::string_view name);

using TlsContext = std::shared_ptr<asio::ssl::context>;

// For a client with an identity: TLS 1.3 alone, presents its certificate, believes the host CA. Who answers is checked
// after the handshake (verified_peer), since its role and not its host name decides.
Result<TlsContext> client_context(const Identity& me, Alpn alpn);
// For a client without an identity: cairn-enroll/1, where the CA pin decides (connect.h).
Result<TlsContext> anonymous_client_context();

// For a server: one context per connection type. cairn-enroll/1 and http/1.1 ask for no client certificate, all others
// demand one of the host or the user CA. The chain that is presented includes the host CA, for pins to be checked
// against.
using ServerContexts = std::map<Alpn, TlsContext>;
Result<ServerContexts> server_contexts(const Identity& me, const std::vector<Alpn>& alpns);

// After a handshake: who is at the other end. Checks that the role's own authority signed (a user's certificate by the
// user CA, all others by the host CA) and that the cluster is ours. Fails with kUnauthenticated.
Result<Peer> verified_peer(SSL* tls, const Identity& me);

// A sentence for a handshake or a read that failed: names the certificate's fault on this side (`tls` knows it) or the
// alert that the other side sent ("the other side refused our certificate: certificate expired").
std::string tls_sentence(const std::error_code& error, SSL* tls);

}  // namespace cairn::tunnel
