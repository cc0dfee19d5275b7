#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace cairn::agent {

// Where in the data directory the node's SSH host key lies: Ed25519, OpenSSH format, 0600.
std::filesystem::path ssh_host_key_path(const std::filesystem::path& data_dir);

// The public half as "ssh-ed25519 AAAA…". Makes the key when there is none; it is kept for good, since people's
// known_hosts answers are built on it.
//   fails  kCorrupt: the file holds no such key. An errno.
Result<std::string> ensure_ssh_host_key(const std::filesystem::path& data_dir);

}  // namespace cairn::agent
