#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include <fmt/format.h>

#include "base/file.h"
#include "cli/home/ssh_config.h"
#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/remote/auth_session.h"
#include "cli/verbs/verbs.h"

namespace cairn::cli {
namespace {

Result<std::string> config_text(const Home& home, const std::string& host_pattern) {
  const Result<std::filesystem::path> cairn = own_path();
  if (!cairn) return fail(cairn);
  const SshConfig config{.host_pattern = host_pattern, .cairn = *cairn, .home = home};
  return config.text();
}

Result<int> print_config(const Context& context) {
  const Result<Home> home = context.home();
  if (!home) return fail(home);
  const Result<Profile> profile = home->load_profile();
  if (!profile) return fail(profile);
  if (profile->cluster.empty()) return fail(Errc::kUnauthenticated, kNotLoggedIn);
  const Result<std::string> text = config_text(*home, "*." + profile->cluster);
  if (!text) return fail(text);
  if (const Result<void> printed = print_text(*text); !printed) return fail(printed);
  return kExitOk;
}

// Becomes ssh: its exit status is ours. Returns only when that cannot be.
Result<int> become_ssh(const std::filesystem::path& config, const std::vector<std::string>& arguments) {
  std::vector<std::string> words{"ssh", "-F", config.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::signal(SIGPIPE, SIG_DFL);  // an ignored signal stays ignored across exec (signal(7))
  ::execvp("ssh", argv.data());
  if (errno == ENOENT) return fail(Errc::kUnsupported, "there is no ssh on this host; install openssh-client");
  return fail_errno("run ssh");
}

Result<int> ssh(const Context& context, std::vector<std::string> arguments) {
  if (!arguments.empty() && arguments.front() == "--") arguments.erase(arguments.begin());
  if (arguments.empty()) return fail(Errc::kInvalid, "which node? cairn ssh [LOGIN@]NODE [COMMAND]");
  const Result<Home> home = context.home();
  if (!home) return fail(home);
  if (const auto identity = load_valid_identity(*home, context.clock); !identity) return fail(identity);
  const Result<std::string> text = config_text(*home, "*");
  if (!text) return fail(text);
  if (const auto written = write_file_atomically(home->ssh_config(), *text, 0600); !written) return fail(written);
  return become_ssh(home->ssh_config(), arguments);
}

}  // namespace

void add_ssh_verbs(CLI::App& app, Command& command) {
  CLI::App* verb = add_verb(app, "ssh",
                            "Open a session on a node: stock ssh, and its exit status. All that follows goes to ssh: "
                            "[SSH OPTIONS] [LOGIN@]NODE [COMMAND...]",
                            "cairn ssh deploy@web-1\n"
                            "cairn ssh deploy@web-1 'uptime; df -h'\n"
                            "cairn ssh -- -v deploy@web-1 id");
  verb->callback([&command] { command.run = [&command] { return ssh(command.context, command.ssh_arguments); }; });

  CLI::App* config =
      add_verb(app, "config", "Print an OpenSSH configuration, so that plain ssh, scp, sftp and rsync reach the nodes",
               "cairn config >>~/.ssh/config && ssh deploy@web-1.home\n"
               "cairn config >nodes.conf && rsync -e 'ssh -F nodes.conf' -a ./ deploy@web-1.home:site/");
  config->callback([&command] { command.run = [&command] { return print_config(command.context); }; });
}

}  // namespace cairn::cli
