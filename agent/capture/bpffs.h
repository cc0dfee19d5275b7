#pragma once

#include <filesystem>

#include "base/result.h"

namespace cairn::agent {

// Makes `folder` (mode 0700) so that it lies on a bpffs: mounts one there, or on /sys/fs/bpf when the folder lies in
// that. Does nothing when it does already.
Result<void> make_bpffs_folder(const std::filesystem::path& folder);

Result<bool> is_on_bpffs(const std::filesystem::path& path);

// Takes away what make_bpffs_folder() made, if no folder is left in it: unmounts it when it is a mount of its own,
// removes it when it lies in /sys/fs/bpf, which stays mounted.
Result<void> remove_bpffs_folder(const std::filesystem::path& folder);

}  // namespace cairn::agent
