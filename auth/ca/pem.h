#pragma once

#include <string>
#include <string_view>

#include "auth/ca/openssl_types.h"
#include "base/result.h"

namespace cairn::auth {

// Keys and certificates as text and bytes. Private text is to be wiped by who gets it (OPENSSL_cleanse).
Result<std::string> private_pem(EVP_PKEY* key);  // PKCS #8, not encrypted
Result<Key> private_key_from_pem(std::string_view pem);
Result<std::string> certificate_pem(X509* certificate);

// A SubjectPublicKeyInfo in DER that holds a P-256 key and nothing else; on the curve, named curve.
//   fails  kInvalid: anything else, trailing bytes included
Result<Key> p256_from_der(std::string_view der);

}  // namespace cairn::auth
