#include "agent/capture/record_parts.h"

#include <fmt/format.h>

namespace cairn::agent {
namespace {

// The kernel's own errno values, which no program sees: a call that a signal interrupted, to be restarted or not.
constexpr int kFirstRestart = 512;
constexpr int kLastRestart = 516;
constexpr int kEintr = 4;
constexpr int kMaxErrno = 4095;

// dev_t inside the kernel: include/linux/kdev_t.h.
constexpr uint32_t kMinorBits = 20;

constexpr uint32_t kPartMax = bpf::EVENT_PATH_MAX + bpf::EVENT_NAME_MAX;

// "passwd\0etc\0" → "/etc/passwd". Without its beginning it starts without a slash.
std::optional<std::string> join_reversed(std::string_view components, bool is_complete) {
  if (components.empty()) return is_complete ? "/" : "";
  if (components.back() != '\0') return std::nullopt;
  std::string path;
  path.reserve(components.size());
  while (!components.empty()) {
    components.remove_suffix(1);
    const size_t before = components.find_last_of('\0');
    const size_t start = before == std::string_view::npos ? 0 : before + 1;
    if (is_complete || !path.empty()) path += '/';
    path += components.substr(start);
    components = components.substr(0, start);
  }
  return path;
}

// What lies within the file's own mount, and from there up to its file system's root.
bool set_fs_path(std::string_view own, std::string_view beyond, bool is_complete, recording::v1::KernelPath* to) {
  const std::optional<std::string> path = join_reversed(std::string(own) + std::string(beyond), is_complete);
  if (!path) return false;
  if (*path != to->path()) to->set_fs_path(*path);
  return true;
}

}  // namespace

std::string_view until_nul(std::string_view bytes) { return bytes.substr(0, bytes.find('\0')); }

int32_t visible_result(int32_t result) {
  return -result >= kFirstRestart && -result <= kLastRestart ? -kEintr : result;
}

bool is_result(int32_t result) { return result >= -kMaxErrno; }

void set_process(const bpf::event_process& from, recording::v1::Process* to) {
  to->set_pid(from.pid);
  to->set_tid(from.tid);
  to->set_parent_pid(from.parent_pid);
  to->set_uid(from.uid);
  to->set_gid(from.gid);
  to->set_start_boot_ns(from.start_boot_ns);
  // comm is bytes, a proto string is UTF-8: what is not ASCII would make the message unreadable elsewhere.
  for (const char c : until_nul({from.comm, sizeof(from.comm)})) *to->mutable_comm() += (c & 0x80) != 0 ? '?' : c;
  to->set_login_uid(from.login_uid);
  to->set_audit_session(from.audit_session);
  to->set_exec_id(from.exec_id);
  to->set_mount_namespace(from.mount_namespace);
  to->set_injected((from.tag_flags & bpf::TAG_INJECTED) != 0);
}

bool set_path(const bpf::event_path& from, Tail* tail, recording::v1::KernelPath* to) {
  const std::optional<std::string_view> components = tail->take(from.bytes);
  const std::optional<std::string_view> beyond = tail->take(from.beyond_bytes);
  if (!components || !beyond || from.bytes > kPartMax || from.beyond_bytes > kPartMax) return false;
  if (from.own_bytes > from.bytes) return false;
  const bool is_complete = (from.flags & bpf::PATH_COMPLETE) != 0;
  if ((from.flags & bpf::PATH_UNNAMED) != 0) {
    to->set_path(fmt::format("{}:[{}]", until_nul(*components), from.inode));  // as /proc/PID/fd shows a pipe
  } else {
    std::optional<std::string> path = join_reversed(*components, is_complete);
    if (!path) return false;
    to->set_path(*std::move(path));
    if (!set_fs_path(components->substr(0, from.own_bytes), *beyond, is_complete, to)) return false;
  }
  to->set_complete(is_complete);
  to->set_inode(from.inode);
  to->set_links(from.links);
  to->set_device_major(from.device >> kMinorBits);
  to->set_device_minor(from.device & ((1U << kMinorBits) - 1));
  return true;
}

}  // namespace cairn::agent
