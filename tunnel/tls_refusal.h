#pragma once

#include <optional>
#include <string>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/result.h"

namespace cairn::tunnel {

// Certificates that are refused, in sentences: on the side that refuses and on the side that is refused.

// Where the check of the peer's certificate on this connection writes why it refused it. `refusal` outlives `tls`.
void keep_refusal_in(SSL* tls, std::string* refusal);
std::string* refusal_of(SSL* tls);  // null when none was set

// What is wrong with a certificate, by OpenSSL's number: "the certificate of node "web-1" expired at …".
std::string refusal_sentence(X509* certificate, int x509_error);

// What the peer's alert says about us (RFC 8446 §6.2): kUnauthenticated when it refused our certificate, kUnsupported
// when it does not speak the protocol that we asked for. nullopt when `openssl_error` is no alert.
//   other_side  "the proxy", for the sentence
std::optional<Error> refusal_by_peer(SSL* tls, unsigned long openssl_error, const std::string& other_side);

}  // namespace cairn::tunnel
