#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"

namespace cairn::agent {

// What the kernel remembers of sessions, as the uploader needs it; whoever holds the capture fills it in. Both are
// called on the uploader's executor.
struct KernelSessions {
  std::string boot_id;  // of this boot; the kernel remembers nothing of others
  // How many sequence numbers the session was given; nullopt when the kernel does not know it.
  std::function<Result<std::optional<uint64_t>>(uint64_t session_key)> issued;
  std::function<Result<void>(uint64_t session_key)> forget;
};

// The session's tag in the kernel, or nullopt when the recording is of another boot, had no capture, or does not say.
// Blocks on the disk.
std::optional<uint64_t> kernel_key_of(const std::filesystem::path& recording, const std::string& boot_id);

// True when the file is a whole recording, from its first chunk to its final one; nothing is decoded. Blocks on the
// disk. A file that is damaged is not sealed.
Result<bool> is_sealed(const std::filesystem::path& recording);

}  // namespace cairn::agent
