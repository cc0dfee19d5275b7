#pragma once

#include <string_view>

#include "base/result.h"

namespace cairn::agent {

// Public keys and signatures as SSH writes them (RFC 4253 §6.6, RFC 5656, RFC 8332, RFC 8709), checked by OpenSSL.
// Types: ssh-ed25519, ecdsa-sha2-nistp256/384/521, ssh-rsa of 2048 to 16384 bits. All bytes may come from an attacker.

// Whether `key_blob` is a key of these types, with a point on its curve and nothing left over.
//   fails  kUnsupported: another type. kInvalid, kTruncated: malformed, or a modulus out of bounds.
Result<void> check_ssh_key(std::string_view key_blob);

// Whether `signature_blob` is the key's signature of `message`. RSA with SHA-1 ("ssh-rsa") is refused.
//   fails  as check_ssh_key; kInvalid: the signature is malformed or of a type that does not belong to the key;
//          kDenied: it is wrong
Result<void> verify_ssh_signature(std::string_view key_blob, std::string_view signature_blob, std::string_view message);

}  // namespace cairn::agent
