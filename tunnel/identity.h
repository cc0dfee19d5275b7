#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "proto/enroll.pb.h"
#include "tunnel/peer.h"

namespace cairn::tunnel {

// A P-256 key, made where it is used; the private half never travels.
struct KeyPair {
  EvpPkey key;
  std::string private_pem;  // PKCS #8
  std::string public_der;   // SubjectPublicKeyInfo
};
Result<KeyPair> generate_tls_key();

// An identity's parts as OpenSSL holds them. Reading them takes it a millisecond, so it is done once.
struct IdentityParts {
  EvpPkey key;
  X509Certificate certificate;
  X509Certificate host_ca;
  X509Certificate user_ca;
};

// Who a program is in its cluster, and whom it believes. Made by make_identity(), so that `parts` are what the texts
// say.
struct Identity {
  std::string private_pem;
  std::string certificate_pem;
  enroll::v1::Authorities authorities;
  std::shared_ptr<const IdentityParts> parts;  // of the three above
  Peer self;                                   // what the certificate says
  int64_t not_before_s = 0;                    // the certificate's validity, seconds since the epoch
  int64_t not_after_s = 0;

  // From when on it is to be renewed: when half of its validity is over.
  int64_t renewal_due_s() const { return not_before_s + (not_after_s - not_before_s) / 2; }
};

// Fails with kInvalid when the parts are not what they should be, or when key and certificate do not belong together.
// An expired certificate is no failure here: whoever uses it says what to do.
Result<Identity> make_identity(std::string private_pem, std::string certificate_pem,
                               enroll::v1::Authorities authorities);

// Keeps `identity` in a folder, which must exist: one file, identity.pem (0600; private key, then certificate), so that
// a crash leaves the old identity or the new one, and beside it the authorities in host_ca.pem, user_ca.pem and
// ssh_user_ca.pub, written before it.
Result<void> store_identity(const std::filesystem::path& directory, const Identity& identity);
// Fails with ENOENT when none was stored yet, with kDenied when others can read it, with kInvalid naming the file when
// one is damaged.
Result<Identity> load_identity(const std::filesystem::path& directory);
// Removes what store_identity wrote. Nothing there is no failure.
Result<void> forget_identity(const std::filesystem::path& directory);

}  // namespace cairn::tunnel
