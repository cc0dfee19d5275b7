#include "recorder/derive/sandbox.h"

#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>

#include <fmt/format.h>

#include "base/bytes.h"
#include "recorder/crypto.h"

namespace cairn::recorder {
namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CAIRN_HAS_SHADOW_MEMORY
#endif
#endif

// Behind whoever serves, and not so far that a busy host never gets to it: somebody may wait.
constexpr int kPriority = 10;

// What malloc, OpenSSL and plain input and output need once everything is loaded.
constexpr std::array kAllowed = {
    SCMP_SYS(read),         SCMP_SYS(pread64),        SCMP_SYS(write),       SCMP_SYS(lseek),
    SCMP_SYS(ftruncate),    SCMP_SYS(fstat),          SCMP_SYS(close),       SCMP_SYS(dup),
    SCMP_SYS(munmap),       SCMP_SYS(mremap),         SCMP_SYS(madvise),     SCMP_SYS(brk),
    SCMP_SYS(futex),        SCMP_SYS(getrandom),      SCMP_SYS(getpid),      SCMP_SYS(gettid),
    SCMP_SYS(sched_yield),  SCMP_SYS(clock_gettime),  SCMP_SYS(exit),        SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall),
};
// Without an executable page.
constexpr std::array kMapping = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};
constexpr std::array kRefused = {SCMP_SYS(open),   SCMP_SYS(openat),     SCMP_SYS(stat),     SCMP_SYS(newfstatat),
                                 SCMP_SYS(access), SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(ioctl)};

// Libraries read their files at first use.
void warm_up() {
  const std::string key = random_bytes(kKeyBytes);
  const std::string nonce = random_bytes(kNonceBytes);
  for (const Cipher cipher : {Cipher::kAes256Gcm, Cipher::kChaCha20Poly1305}) {
    const std::string sealed = aead_seal(cipher, key, nonce, "warm");
    static_cast<void>(aead_open(cipher, key, nonce, sealed));
  }
  static_cast<void>(hkdf_sha256(key, "", "warm", kKeyBytes));
  static_cast<void>(hmac_sha256(key, "warm"));
  Digest digest;
  digest.add("warm");
  static_cast<void>(digest.finish());
}

Result<void> limit(__rlimit_resource what, uint64_t to) {
  const rlimit wanted{.rlim_cur = to, .rlim_max = to};
  if (::setrlimit(what, &wanted) != 0) return fail_errno("setrlimit");
  return {};
}

Result<void> set_limits(const SandboxLimits& limits) {
  if (Result<void> set = limit(RLIMIT_CPU, static_cast<uint64_t>(limits.cpu.count())); !set) return set;
  if (Result<void> set = limit(RLIMIT_FSIZE, limits.file_bytes); !set) return set;
  if (Result<void> set = limit(RLIMIT_CORE, 0); !set) return set;
#if !defined(CAIRN_HAS_SHADOW_MEMORY)
  if (Result<void> set = limit(RLIMIT_AS, limits.memory_bytes); !set) return set;
#endif
  return {};
}

struct FilterDeleter {
  void operator()(void* filter) const noexcept { ::seccomp_release(filter); }
};

Result<void> load_filter() {
  const std::unique_ptr<void, FilterDeleter> filter(::seccomp_init(SCMP_ACT_KILL_PROCESS));
  if (!filter) return fail(Errc::kUnavailable, "seccomp: no memory for the filter");
  int failed = 0;
  for (const int call : kAllowed) failed |= ::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0);
  for (const int call : kMapping) {
    failed |= ::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  }
  for (const int call : kRefused) failed |= ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EACCES), call, 0);
  if (failed != 0) return fail(Errc::kUnavailable, "seccomp: the filter cannot be made");
  if (const int refused = ::seccomp_load(filter.get()); refused != 0)
    return fail(Errc::kUnavailable, fmt::format("seccomp: the kernel refuses the filter (errno {})", -refused));
  return {};
}

}  // namespace

Result<void> enter_sandbox(const SandboxLimits& limits) {
  warm_up();
  ::setpriority(PRIO_PROCESS, 0, kPriority);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::prctl(PR_SET_DUMPABLE, 0) != 0 ||
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return fail_errno("prctl");
  }
  if (Result<void> set = set_limits(limits); !set) return set;
  return load_filter();
}

}  // namespace cairn::recorder
