#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/session/account.h"
#include "proto/agent.pb.h"

namespace cairn::agent {

// What a client may set (sshd_config(5), AcceptEnv of Debian): LANG, LC_*, TERM.
bool is_accepted_variable(std::string_view name);

// The whole environment of a person's program, as "NAME=value": the account's, then what PAM has set, then what the
// client sent (the worker has vetted it), then what says whence they come. Later ones win.
std::vector<std::string> login_environment(const Account& account, const v1::LoginStart& start,
                                           const std::vector<std::string>& from_pam);

}  // namespace cairn::agent
