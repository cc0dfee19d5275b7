#include "agent/session/login_environment.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "tunnel/networks.h"

namespace cairn::agent {
namespace {

// As Debian's sshd has them (SUPERUSER_PATH and _PATH_STDPATH).
constexpr const char* kRootPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr const char* kUserPath = "/usr/local/bin:/usr/bin:/bin:/usr/games";

}  // namespace

bool is_accepted_variable(std::string_view name) {
  constexpr size_t kMaxNameBytes = 64;
  if (name == "LANG" || name == "TERM") return true;
  const auto is_plain = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
  return name.starts_with("LC_") && name.size() <= kMaxNameBytes && std::ranges::all_of(name, is_plain);
}

std::vector<std::string> login_environment(const Account& account, const v1::LoginStart& start,
                                           const std::vector<std::string>& from_pam) {
  std::map<std::string, std::string> variables{
      {"HOME", account.home},
      {"USER", account.name},
      {"LOGNAME", account.name},
      {"SHELL", account.shell},
      {"PATH", account.uid == 0 ? kRootPath : kUserPath},
      {"MAIL", "/var/mail/" + account.name},
  };
  for (const std::string& variable : from_pam) {
    const size_t equals = variable.find('=');
    if (equals != std::string::npos) variables[variable.substr(0, equals)] = variable.substr(equals + 1);
  }
  for (const auto& [name, value] : start.environment()) variables[name] = value;

  const std::string_view host = tunnel::host_of(start.client_address());
  const std::string_view port = tunnel::port_of(start.client_address());
  // Four words and three, as ssh(1) promises. The node listens nowhere, so its own address is the unspecified one.
  const std::string_view own_address = host.find(':') == std::string_view::npos ? "0.0.0.0" : "::";
  variables["SSH_CONNECTION"] = fmt::format("{} {} {} 0", host, port, own_address);
  variables["SSH_CLIENT"] = fmt::format("{} {} 0", host, port);
  if (start.has_pty()) variables["SSH_TTY"] = start.tty();
  variables["CAIRN_SESSION_ID"] = start.session_id();
  variables["CAIRN_USER"] = start.user();

  std::vector<std::string> environment;
  environment.reserve(variables.size());
  for (const auto& [name, value] : variables) environment.push_back(name + "=" + value);
  return environment;
}

}  // namespace cairn::agent
