#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"

namespace cairn::agent {

// A UNIX account of this host, from whatever nsswitch.conf(5) names.
struct Account {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string home;
  std::string shell;  // never empty: /bin/sh by default (passwd(5))
};

//   fails  kNotFound: there is no such account. An errno: the sources could not be asked.
Result<Account> find_account(const std::string& name);

}  // namespace cairn::agent
