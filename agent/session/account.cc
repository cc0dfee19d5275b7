#include "agent/session/account.h"

#include <pwd.h>

#include <cerrno>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"

namespace cairn::agent {

Result<Account> find_account(const std::string& name) {
  constexpr size_t kMaxEntryBytes = 1 << 20;
  struct passwd entry{};
  struct passwd* found = nullptr;
  std::vector<char> strings(4096);
  int error = 0;
  while ((error = ::getpwnam_r(name.c_str(), &entry, strings.data(), strings.size(), &found)) == ERANGE) {
    if (strings.size() >= kMaxEntryBytes) break;
    strings.resize(strings.size() * 2);
  }
  if (found == nullptr && (error == 0 || error == ENOENT || error == ESRCH)) {
    return fail(Errc::kNotFound, fmt::format("there is no account {} on this host", quoted_if_needed(name)));
  }
  if (found == nullptr) return fail_errno(error, fmt::format("look up the account {}", quoted_if_needed(name)));
  const std::string shell = entry.pw_shell;
  return Account{.name = entry.pw_name,
                 .uid = entry.pw_uid,
                 .gid = entry.pw_gid,
                 .home = entry.pw_dir,
                 .shell = shell.empty() ? "/bin/sh" : shell};
}

}  // namespace cairn::agent
