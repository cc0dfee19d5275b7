#pragma once

#include <string>

#include "base/result.h"

namespace cairn::cli {

struct SshKey {
  std::string private_pem;  // "-----BEGIN OPENSSH PRIVATE KEY-----…", without a passphrase: its certificate lives hours
  std::string public_line;  // "ssh-ed25519 AAAA…"
};

// A fresh Ed25519 key.
Result<SshKey> generate_ssh_key();

}  // namespace cairn::cli
