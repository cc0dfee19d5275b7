#include "agent/supervisor/doctor.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "agent/capture/canary.h"
#include "agent/capture/capture_host.h"
#include "base/file.h"

namespace cairn::agent {
namespace {

constexpr const char* kFolder = "/sys/fs/bpf/cairn-doctor";
constexpr const char* kHelp =
    "cairn-agent doctor - what this host can capture, what it cannot, and what to change\n\n"
    "Loads the capture programs beside a running agent's, does one operation of each kind, looks whether it was seen,\n"
    "and takes everything away again. Exit status: 0 all is seen, 1 something is not, 6 nothing can be captured.\n\n"
    "Usage: cairn-agent doctor [--help]\n";

// A hook that a kernel may lack, what is missing then, and what to do about it.
struct Optional {
  std::string_view hook;
  std::string_view without;
  std::string_view remedy;
};

constexpr Optional kOptional[] = {
    {"on_datagram_4", "datagrams to an address (UDP without connect) make no event", "mount cgroup2 on /sys/fs/cgroup"},
    {"on_cgroup_move", "moves between cgroups make no event; the session keeps its tag",
     "a kernel with CONFIG_CGROUPS"},
    {"on_signal", "signals to the agent make no event, and ptrace(2) into others is noticed a moment later",
     "a kernel with CONFIG_FTRACE"},
};

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

void print_host() {
  utsname kernel{};
  ::uname(&kernel);
  fmt::print("kernel        {} {}\n", kernel.release, kernel.machine);
  fmt::print("BTF           {}\n", ::access("/sys/kernel/btf/vmlinux", R_OK) == 0
                                       ? "yes"
                                       : "NO: a kernel with CONFIG_DEBUG_INFO_BTF=y is needed");
  const Result<std::string> lockdown = read_file("/sys/kernel/security/lockdown", 256);
  if (lockdown) fmt::print("lockdown      {}", *lockdown);
  const bool has_audit = ::access("/proc/self/loginuid", R_OK) == 0;
  fmt::print("login uid     {}\n", has_audit ? "yes" : "no: events carry none (a kernel with CONFIG_AUDIT has it)");
}

void print_hooks(const std::vector<std::string>& hooks) {
  std::string line;
  for (const std::string& hook : hooks) line += (line.empty() ? "" : " ") + hook;
  fmt::print("hooks         {}\n", line);
  for (const Optional& optional : kOptional) {
    if (!has(hooks, optional.hook)) {
      fmt::print("missing       {}: {}. To have it: {}\n", optional.hook, optional.without, optional.remedy);
    }
  }
  const bool has_uring =
      std::ranges::any_of(hooks, [](const auto& hook) { return hook.starts_with("on_uring_submit"); }) &&
      std::ranges::any_of(hooks, [](const auto& hook) { return hook.starts_with("on_uring_complete"); });
  if (!has_uring && ::access("/proc/sys/kernel/io_uring_disabled", F_OK) == 0) {
    fmt::print(
        "missing       io_uring: opens and changes by io_uring make no event. To close it: "
        "sysctl kernel.io_uring_disabled=2\n");
  }
}

int examine() {
  print_host();
  const Result<CaptureHost> host = CaptureHost::start(kFolder, Log("cairn-agent", LogLevel::kError));
  if (!host) {
    fmt::print("tier          none: {}\n", host.error().message);
    return 6;
  }
  fmt::print("tier          {}\n", host->status().tier);
  print_hooks(host->status().hooks);
  const Result<CanaryReport> canary = run_canary(kFolder, {"/proc/self/exe", "canary"});
  if (!canary) {
    fmt::print("canary        failed: {}\n", canary.error().message);
    return 1;
  }
  for (const std::string& seen : canary->seen) fmt::print("seen          {}\n", seen);
  for (const std::string& missed : canary->missed) {
    fmt::print("NOT SEEN      {}: its program is attached and saw nothing; please report this kernel\n", missed);
  }
  return canary->missed.empty() ? 0 : 1;
}

}  // namespace

int run_doctor(int argc, const char* const* argv) {
  if (argc > 2 && std::strcmp(argv[2], "--help") == 0) {
    fmt::print("{}", kHelp);
    return 0;
  }
  if (argc > 2) {
    fmt::print(stderr, "cairn-agent: doctor takes no {}; see cairn-agent doctor --help\n", argv[2]);
    return 2;
  }
  if (::geteuid() != 0) {
    fmt::print(stderr, "cairn-agent: doctor must be run as root: it loads programs into the kernel\n");
    return 4;
  }
  const int status = examine();
  if (const Result<void> removed = unpin_all(kFolder); !removed) {
    fmt::print(stderr, "cairn-agent: {} stays: {}\n", kFolder, removed.error().message);
  }
  ::rmdir(kFolder);
  return status;
}

}  // namespace cairn::agent
