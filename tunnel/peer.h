#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/free_with.h"
#include "base/result.h"

namespace cairn::tunnel {

using EvpPkey = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using X509Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;

enum class Role { kAuth, kProxy, kNode, kUser };
// "auth", "proxy", "node", "user": as in the certificate's URI.
std::string_view role_name(Role role);

// Who stands at the other end, as its certificate says. The certificate names it in exactly one URI of its subject
// alternative names: cairn://CLUSTER/auth, cairn://CLUSTER/proxy/UUID, cairn://CLUSTER/node/UUID or
// cairn://CLUSTER/user/NAME.
struct Peer {
  Role role = Role::kUser;
  std::string cluster{};
  std::string id{};           // UUID of a node or proxy, name of a user, empty for auth
  std::string name{};         // DNS name of a node or proxy; empty when the certificate has none
  std::string spki_sha256{};  // 32 raw bytes: SHA-256 of its SubjectPublicKeyInfo
};

// Reads the names alone; whether the certificate may be believed is decided by the TLS handshake.
// Fails with kInvalid when there is no such URI, more than one, or one of another form.
Result<Peer> peer_of(X509* certificate);

// The URI that stands for `peer` in its certificate.
std::string role_uri(const Peer& peer);
// For people: "node web-1 (UUID)", "user alice", "auth". Names are foreign text: quoted where they need it.
std::string describe(const Peer& peer);

// One PEM certificate. Fails with kInvalid.
Result<X509Certificate> parse_certificate(std::string_view pem);
// SHA-256 of the SubjectPublicKeyInfo, 32 raw bytes; a CA pin is "sha256:" and its hexadecimal form.
std::string spki_sha256(X509* certificate);
std::string ca_pin_of(X509* certificate);

// What OpenSSL's error queue holds, emptied; "unknown OpenSSL error" when it holds nothing.
std::string openssl_error();

}  // namespace cairn::tunnel
