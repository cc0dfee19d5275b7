#include "cli/home/ssh_config.h"

#include <fmt/format.h>

namespace cairn::cli {
namespace {

// Inside double quotes these mean themselves to ssh_config, to its argv_split (KnownHostsCommand) and to the shell
// (ProxyCommand) alike. "%" is ssh's token mark and is doubled; "$", "`", quotes and backslashes mean something to one
// of the three.
bool is_quotable(const std::string& path) {
  for (const char byte : path) {
    const unsigned char c = static_cast<unsigned char>(byte);
    if (c < 0x20 || c == 0x7f || c == '"' || c == '\'' || c == '\\' || c == '$' || c == '`' || c == '!') return false;
  }
  return true;
}

Result<std::string> quoted(const std::filesystem::path& path) {
  if (!is_quotable(path.string()))
    return fail(Errc::kInvalid,
                fmt::format("{} holds a character that ssh_config cannot carry; use a folder without quotes, "
                            "backslashes, \"$\", \"!\" and control characters",
                            path.string()));
  std::string text = "\"";
  for (const char byte : path.string()) text += byte == '%' ? std::string("%%") : std::string(1, byte);
  return text + "\"";
}

}  // namespace

Result<std::string> SshConfig::text() const {
  const Result<std::string> program = quoted(cairn);
  if (!program) return fail(program);
  const Result<std::string> folder = quoted(home.root());
  if (!folder) return fail(folder);
  const Result<std::string> key = quoted(home.ssh_key());
  if (!key) return fail(key);
  const Result<std::string> certificate = quoted(home.ssh_certificate());
  if (!certificate) return fail(certificate);
  return fmt::format(
      "Host {0}\n"
      "    ProxyCommand {1} --home {2} proxy ssh %h\n"
      "    KnownHostsCommand {1} --home {2} known-hosts %H\n"
      "    UserKnownHostsFile /dev/null\n"
      "    GlobalKnownHostsFile /dev/null\n"
      "    StrictHostKeyChecking yes\n"
      "    CheckHostIP no\n"
      "    UpdateHostKeys no\n"
      "    VerifyHostKeyDNS no\n"
      "    IdentityFile {3}\n"
      "    CertificateFile {4}\n"
      "    IdentitiesOnly yes\n",
      host_pattern, *program, *folder, *key, *certificate);
}

Result<std::filesystem::path> own_path() {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return fail(error, fmt::format("read /proc/self/exe: {}", error.message()));
  return path;
}

}  // namespace cairn::cli
