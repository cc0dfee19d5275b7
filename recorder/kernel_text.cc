#include "recorder/kernel_text.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "base/log.h"
#include "recorder/text.h"

namespace cairn::recorder {
namespace {

using namespace recording::v1;

struct FlagName {
  uint32_t bits;
  std::string_view name;
};

// Those that contain others come first. The kernel's O_LARGEFILE is 0 in 64-bit programs' headers, yet set by some.
constexpr std::array kOpenFlags = {
    FlagName{O_TMPFILE, "O_TMPFILE"},   FlagName{O_SYNC, "O_SYNC"},       FlagName{O_CREAT, "O_CREAT"},
    FlagName{O_EXCL, "O_EXCL"},         FlagName{O_TRUNC, "O_TRUNC"},     FlagName{O_APPEND, "O_APPEND"},
    FlagName{O_NONBLOCK, "O_NONBLOCK"}, FlagName{O_CLOEXEC, "O_CLOEXEC"}, FlagName{O_DIRECTORY, "O_DIRECTORY"},
    FlagName{O_NOFOLLOW, "O_NOFOLLOW"}, FlagName{O_PATH, "O_PATH"},       FlagName{O_NOCTTY, "O_NOCTTY"},
    FlagName{O_DIRECT, "O_DIRECT"},     FlagName{O_NOATIME, "O_NOATIME"}, FlagName{O_DSYNC, "O_DSYNC"},
    FlagName{O_ASYNC, "O_ASYNC"},
#if defined(__x86_64__)
    FlagName{0100000, "O_LARGEFILE"},
#endif
};

std::string path_text(const KernelPath& path) {
  return quoted_if_needed(path.complete() ? path.path() : "..." + path.path());
}

std::string claimed_text(const std::string& path) { return quoted_if_needed(path) + " (claimed)"; }

std::string process_text(const Process& process) { return fmt::format("pid {} uid {}", process.pid(), process.uid()); }

// "1.2.3.4:22" or "[::1]:22"; the bytes may be of any length, since a recording may come from anyone.
std::string address_text(const std::string& address, uint32_t port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.size() == sizeof(in_addr) && ::inet_ntop(AF_INET, address.data(), text.data(), text.size()) != nullptr) {
    return fmt::format("{}:{}", text.data(), port);
  }
  if (address.size() == sizeof(in6_addr) &&
      ::inet_ntop(AF_INET6, address.data(), text.data(), text.size()) != nullptr) {
    return fmt::format("[{}]:{}", text.data(), port);
  }
  return fmt::format("(unknown address):{}", port);
}

std::string exec_text(const Exec& exec) {
  if (exec.result() < 0) {
    return fmt::format("exec  {} {} = {}", process_text(exec.process()), claimed_text(exec.filename()),
                       errno_name(exec.result()));
  }
  std::string text = fmt::format("exec  {} {} ", process_text(exec.process()), path_text(exec.executable()));
  for (const std::string& argument : exec.argv()) {
    if (text.size() > kMaxTextBytes) break;
    text += ' ';
    text += quoted_if_needed(std::string_view(argument).substr(0, kMaxTextBytes));
  }
  if (exec.argv_truncated()) text += fmt::format(" [cut: {} bytes in all]", exec.argv_bytes());
  return text;
}

std::string open_text(const Open& open) {
  const std::string flags = open_flags_text(open.flags());
  const bool has_failed = open.result() < 0;
  const std::string result = has_failed ? errno_name(open.result()) : std::to_string(open.result());
  if (open.has_file()) return fmt::format("open  {} {} = {}", path_text(open.file()), flags, result);
  const std::string path = open.claimed_unreadable() ? "(path unreadable)" : claimed_text(open.claimed_path());
  return fmt::format("open  {} {} = {}", path, flags, result);
}

std::string connect_text(const Connect& connect) {
  std::string result = "attempt";
  if (connect.phase() == CONNECT_PHASE_RESULT) result = connect.result() == 0 ? "ok" : errno_name(connect.result());
  return fmt::format("connect {} = {}", address_text(connect.remote_address(), connect.remote_port()), result);
}

std::string exit_text(const ProcessExit& exit) {
  const std::string who = fmt::format("exit  pid {}", exit.process().pid());
  if (exit.exit_signal() == 0) return fmt::format("{} status {}", who, exit.exit_status());
  const char* name = ::sigabbrev_np(static_cast<int>(exit.exit_signal()));
  const std::string signal = name != nullptr ? fmt::format("SIG{}", name) : std::to_string(exit.exit_signal());
  return fmt::format("{} killed by {}{}", who, signal, exit.core_dumped() ? " (core dumped)" : "");
}

std::string result_text(int32_t result) { return result < 0 ? errno_name(result) : std::to_string(result); }

// "/a/b", or what the caller called it: "b (claimed, from /a)".
std::string changed_text(const ChangedPath& path) {
  if (path.has_object()) return path_text(path.object());
  if (!path.has_base()) return claimed_text(path.claimed());
  return fmt::format("{} (claimed, from {})", quoted_if_needed(path.claimed()), path_text(path.base()));
}

std::string_view verb_of(ChangeKind kind) {
  switch (kind) {
    case CHANGE_KIND_UNLINK: return "unlink";
    case CHANGE_KIND_RMDIR: return "rmdir";
    case CHANGE_KIND_MKDIR: return "mkdir";
    case CHANGE_KIND_MKNOD: return "mknod";
    case CHANGE_KIND_RENAME: return "rename";
    case CHANGE_KIND_LINK: return "link";
    case CHANGE_KIND_SYMLINK: return "symlink";
    case CHANGE_KIND_CHMOD: return "chmod";
    case CHANGE_KIND_CHOWN: return "chown";
    case CHANGE_KIND_TRUNCATE: return "truncate";
    case CHANGE_KIND_MOUNT: return "mount";
    case CHANGE_KIND_UMOUNT: return "umount";
    case CHANGE_KIND_PIVOT_ROOT: return "pivot_root";
    case CHANGE_KIND_CHROOT: return "chroot";
    default: return "change";
  }
}

std::string change_text(const Change& change) {
  std::string text = fmt::format("{} {}", verb_of(change.kind()), changed_text(change.file()));
  if (change.has_target()) text += " -> " + changed_text(change.target());
  if (change.kind() == CHANGE_KIND_CHMOD || change.kind() == CHANGE_KIND_MKDIR) {
    text += fmt::format(" {:04o}", change.mode());
  }
  if (change.kind() == CHANGE_KIND_CHOWN) {
    text += fmt::format(" {}:{}", static_cast<int32_t>(change.uid()), static_cast<int32_t>(change.gid()));
  }
  if (change.kind() == CHANGE_KIND_TRUNCATE) text += fmt::format(" {} bytes", change.length());
  return fmt::format("{} = {}", text, result_text(change.result()));
}

std::string_view verb_of(SocketAction action) {
  switch (action) {
    case SOCKET_ACTION_CREATE: return "socket";
    case SOCKET_ACTION_BIND: return "bind";
    case SOCKET_ACTION_LISTEN: return "listen";
    case SOCKET_ACTION_ACCEPT: return "accept";
    case SOCKET_ACTION_CONNECT: return "connect";
    case SOCKET_ACTION_SEND: return "send";
    default: return "socket";
  }
}

std::string family_text(uint32_t family, uint32_t protocol) {
  switch (family) {
    case AF_UNIX: return "unix";
    case AF_INET:
    case AF_INET6:
      if (protocol == IPPROTO_TCP) return "tcp";
      if (protocol == IPPROTO_UDP) return "udp";
      return fmt::format("protocol {}", protocol);
    case AF_PACKET: return "packet";
    case AF_VSOCK: return "vsock";
    default: return fmt::format("family {}", family);
  }
}

// "" when there is none.
std::string endpoint_text(uint32_t family, const Endpoint& endpoint) {
  if (family == AF_VSOCK) return fmt::format("{}:{}", endpoint.cid(), endpoint.port());
  if (!endpoint.address().empty()) return address_text(endpoint.address(), endpoint.port());
  const std::string& path = endpoint.path();
  if (path.starts_with('\0')) return quoted_if_needed("@" + path.substr(1));
  return path.empty() ? "" : quoted_if_needed(path);
}

std::string socket_text(const Socket& socket) {
  const bool is_own = socket.action() == SOCKET_ACTION_BIND || socket.action() == SOCKET_ACTION_LISTEN;
  const std::string where = endpoint_text(socket.family(), is_own ? socket.local() : socket.remote());
  return fmt::format("{} {}{}{}{} = {}", verb_of(socket.action()), family_text(socket.family(), socket.protocol()),
                     where.empty() ? "" : " ", where, socket.remote_claimed() ? " (claimed)" : "",
                     result_text(socket.result()));
}

std::string tamper_text(const Tamper& tamper) {
  std::string target = tamper.target_pid() != 0 ? fmt::format(" pid {}", tamper.target_pid()) : "";
  if (tamper.tainted()) target += ", of this session from here on";
  const std::string end = tamper.result() < 0 ? " = " + errno_name(tamper.result()) : "";
  const auto text = [&]() -> std::string {
    switch (tamper.kind()) {
      case TAMPER_KIND_BPF: return fmt::format("bpf(2) command {}", tamper.detail());
      case TAMPER_KIND_PTRACE: return "ptrace" + target;
      case TAMPER_KIND_VM_WRITE: return "write into the memory of" + target;
      case TAMPER_KIND_SIGNAL: return fmt::format("signal {} to the agent,{}", tamper.detail(), target);
      case TAMPER_KIND_CGROUP: return "moved to cgroup " + quoted_if_needed(tamper.text());
      case TAMPER_KIND_NAMESPACE: return fmt::format("new namespaces {:#x}", tamper.detail());
      case TAMPER_KIND_MODULE: return tamper.detail() == 2 ? "kernel module removed" : "kernel code loaded";
      case TAMPER_KIND_PRCTL: return fmt::format("prctl(PR_SET_MM, {})", tamper.detail());
      case TAMPER_KIND_MAP_EXEC:
        return "executable memory " + (tamper.has_file() ? path_text(tamper.file()) : "without a file");
      default: return "of an unknown kind";
    }
  };
  return fmt::format("tamper pid {} {}{}", tamper.process().pid(), text(), end);
}

std::string folded_text(const Folded& folded) {
  return fmt::format("folded {} more by {}: opened {} times, mapped {} times", path_text(folded.file()),
                     folded.program().path().empty() ? "an unknown program" : path_text(folded.program()),
                     folded.opens(), folded.executable_maps());
}

std::string hash_text(const ExecutableHash& hash) {
  const std::string digest = hash.sha256().empty() ? fmt::format("not read: {}", quoted_if_needed(hash.error()))
                                                   : quoted_if_needed(hash.sha256());
  return fmt::format("sha256 {} {}", path_text(hash.executable()), digest);
}

std::string host_exec_text(const HostExec& exec) {
  return fmt::format("host  pid {} uid {} (outside, by pid {}) {}", exec.pid(), exec.uid(), exec.parent_pid(),
                     quoted_if_needed(exec.command()));
}

}  // namespace

std::string kernel_event_text(const Event& event) {
  switch (event.kind_case()) {
    case Event::kExec: return exec_text(event.exec());
    case Event::kOpen: return open_text(event.open());
    case Event::kConnect: return connect_text(event.connect());
    case Event::kProcessExit: return exit_text(event.process_exit());
    case Event::kChange: return change_text(event.change());
    case Event::kSocket: return socket_text(event.socket());
    case Event::kTamper: return tamper_text(event.tamper());
    case Event::kFolded: return folded_text(event.folded());
    case Event::kHostExec: return host_exec_text(event.host_exec());
    case Event::kExecutableHash: return hash_text(event.executable_hash());
    default: return {};
  }
}

std::string open_flags_text(uint32_t flags) {
  constexpr std::array<std::string_view, 4> kAccess = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
  std::string text(kAccess[flags & O_ACCMODE]);
  uint32_t rest = flags & ~static_cast<uint32_t>(O_ACCMODE);
  for (const FlagName& flag : kOpenFlags) {
    if ((rest & flag.bits) != flag.bits) continue;
    text += '|';
    text += flag.name;
    rest &= ~flag.bits;
  }
  if (rest != 0) text += fmt::format("|{:#x}", rest);
  return text;
}

}  // namespace cairn::recorder
