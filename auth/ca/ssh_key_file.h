#pragma once

#include <string>
#include <string_view>

#include "auth/ca/openssl_types.h"
#include "base/result.h"

namespace cairn::auth {

// An Ed25519 private key in OpenSSH's own format (PROTOCOL.key of OpenSSH), not encrypted: the form in which ssh-keygen
// can use it too, so that an operator is not bound to our tools. To be wiped by who gets it.
Result<std::string> openssh_private_key(EVP_PKEY* key, std::string_view comment);
//   fails  kCorrupt, kUnsupported: encrypted, or of another type
Result<Key> private_key_from_openssh(std::string_view text);

// "ssh-ed25519" and the key (RFC 8709 §4).
Result<std::string> ssh_ed25519_blob(EVP_PKEY* key);

}  // namespace cairn::auth
