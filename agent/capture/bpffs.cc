#include "agent/capture/bpffs.h"

#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include <fmt/format.h>

namespace cairn::agent {
namespace {

constexpr const char* kUsualMount = "/sys/fs/bpf";

bool lies_in_usual_mount(const std::filesystem::path& folder) {
  return folder.string().starts_with(std::string(kUsualMount) + "/");
}

Result<void> mount_bpffs(const std::filesystem::path& at) {
  if (::mount("bpf", at.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") == 0) return {};
  return fail_errno(fmt::format("mount a bpffs on {}", at.string()));
}

// The root of a bpffs may hold files of the kernel's own (progs.debug, maps.debug); pins stand in folders.
bool holds_folders(const std::filesystem::path& folder) {
  std::error_code failed;
  for (std::filesystem::directory_iterator entry(folder, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    if (entry->is_directory(failed)) return true;
  }
  return static_cast<bool>(failed);
}

bool is_mount_point(const std::filesystem::path& folder) {
  struct stat here{};
  struct stat above{};
  return ::stat(folder.c_str(), &here) == 0 && ::stat((folder / "..").c_str(), &above) == 0 &&
         here.st_dev != above.st_dev;
}

}  // namespace

Result<bool> is_on_bpffs(const std::filesystem::path& path) {
  struct statfs found{};
  if (::statfs(path.c_str(), &found) != 0) return fail_errno(path.string());
  return found.f_type == BPF_FS_MAGIC;
}

Result<void> make_bpffs_folder(const std::filesystem::path& folder) {
  if (lies_in_usual_mount(folder)) {
    const Result<bool> is_mounted = is_on_bpffs(kUsualMount);
    if (!is_mounted) return fail(is_mounted, "bpf_dir");
    if (!*is_mounted) {
      if (Result<void> mounted = mount_bpffs(kUsualMount); !mounted) return mounted;
    }
  }
  std::error_code failed;
  std::filesystem::create_directories(folder.parent_path(), failed);
  if (failed) return fail(failed, fmt::format("bpf_dir {}: {}", folder.string(), failed.message()));
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return fail_errno(fmt::format("bpf_dir {}", folder.string()));

  const Result<bool> is_there = is_on_bpffs(folder);
  if (!is_there) return fail(is_there, "bpf_dir");
  if (*is_there) return {};
  return mount_bpffs(folder);
}

Result<void> remove_bpffs_folder(const std::filesystem::path& folder) {
  if (holds_folders(folder)) return {};
  if (lies_in_usual_mount(folder)) {
    if (::rmdir(folder.c_str()) != 0) return fail_errno(fmt::format("remove {}", folder.string()));
    return {};
  }
  if (!is_mount_point(folder) || folder == kUsualMount) return {};
  if (::umount2(folder.c_str(), UMOUNT_NOFOLLOW) != 0) return fail_errno(fmt::format("unmount {}", folder.string()));
  return {};
}

}  // namespace cairn::agent
