#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "cli/home/home.h"

namespace cairn::cli {

// What an OpenSSH client needs to reach nodes through Cairn (ssh_config(5)): the connection through `cairn proxy ssh`,
// host keys from `cairn known-hosts`, the person's key and certificate.
struct SshConfig {
  std::string host_pattern;     // "*.CLUSTER", or "*" for `cairn ssh`
  std::filesystem::path cairn;  // absolute: KnownHostsCommand insists
  Home home;

  // The block as text. kInvalid when a path holds what cannot be quoted for both ssh_config and the shell.
  Result<std::string> text() const;
};

// The absolute path of the running binary.
Result<std::filesystem::path> own_path();

}  // namespace cairn::cli
