#include "cli/verbs/command_line.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/options.h"
#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/verbs/verbs.h"

namespace cairn::cli {
namespace {

constexpr const char* kFooter =
    "Example:\n"
    "  cairn login --proxy cairn.example.org:3080 --user alice --ca-pin sha256:9f86d0...\n"
    "  cairn ls\n"
    "  cairn ssh deploy@web-1\n"
    "  cairn play 7c1e\n"
    "\n"
    "Every verb has its own --help with an example.\n"
    "\n"
    "Exit status:\n"
    "  0  done                       4  denied: not logged in, expired, or not allowed\n"
    "  1  error                      5  not found: no such node, session, user, ...\n"
    "  2  wrong command line         6  unavailable: auth, proxy or node cannot be reached\n"
    "  3  recording cut or incomplete\n"
    "  \"cairn ssh\" exits as ssh does: with the remote status, or 255.\n"
    "\n"
    "Environment: CAIRN_HOME, CAIRN_AUTH_SOCKET, CAIRN_PASSWORD_FILE\n";

void add_all(CLI::App& app, Command& command) {
  app.require_subcommand(1);
  app.fallthrough();  // inherited: --home and --auth-socket may stand after the verb too
  app.footer(kFooter);
  app.set_version_flag("--version", "cairn " CAIRN_VERSION, "print the version and exit");
  app.add_option("--home", command.context.home_option, "folder of profile and keys [$CAIRN_HOME, ~/.cairn]");
  app.add_option("--auth-socket", command.context.auth_socket,
                 "administer through auth's unix socket, as root on the auth host")
      ->envname("CAIRN_AUTH_SOCKET");
  add_login_verbs(app, command);
  add_status_verb(app, command);
  add_node_verbs(app, command);
  add_ssh_verbs(app, command);
  add_proxy_verbs(app, command);
  add_known_hosts_verb(app, command);
  add_session_verbs(app, command);
  add_recording_verbs(app, command);
  add_play_verb(app, command);
  add_audit_verbs(app, command);
  add_token_verbs(app, command);
  add_user_verbs(app, command);
  add_role_verbs(app, command);
  add_retention_verbs(app, command);
  add_key_verbs(app, command);
  add_version_verb(app, command);
}

const CLI::App& chosen_verb(const CLI::App& app) {
  const CLI::App* verb = &app;
  while (!verb->get_subcommands().empty()) verb = verb->get_subcommands().front();
  return *verb;
}

std::string full_name(const CLI::App& verb) {
  return verb.get_parent() == nullptr ? "cairn" : full_name(*verb.get_parent()) + " " + verb.get_name();
}

std::vector<std::string> verbs_below(const CLI::App& verb) {
  std::vector<std::string> names;
  for (const CLI::App* one : verb.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(one->get_name());
  return names;
}

std::vector<std::string> flags_of(const CLI::App& verb) {
  std::vector<std::string> flags;
  for (const CLI::App* one = &verb; one != nullptr; one = one->get_parent()) {
    for (const CLI::Option* option : one->get_options()) {
      for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    }
  }
  return flags;
}

// What is wrong, and what was probably meant.
std::string usage_sentence(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& verb = chosen_verb(app);
  const std::string name = full_name(verb);
  const std::string prefix = verb.get_parent() == nullptr ? "" : name.substr(sizeof "cairn") + ": ";
  const std::vector<std::string> unexpected = app.remaining(true);
  const std::vector<std::string> below = verbs_below(verb);
  const auto is_word = [](const std::string& text) { return !text.starts_with('-'); };
  const auto word = std::find_if(unexpected.begin(), unexpected.end(), is_word);
  if (!below.empty() && word != unexpected.end()) {
    const std::string near = nearest_word(*word, below);
    return near.empty() ? fmt::format("unknown verb \"{}\"; \"{} --help\" lists them", *word, name)
                        : fmt::format("unknown verb \"{}\"; did you mean \"{} {}\"?", *word, name, near);
  }
  if (!below.empty() && unexpected.empty() && error.get_name() == "RequiredError")
    return fmt::format("{}which verb? {}; --help says more", prefix, fmt::join(below, ", "));
  if (!unexpected.empty()) {
    const std::string flag = unexpected.front().substr(0, unexpected.front().find('='));
    const std::string near = is_word(flag) ? "" : nearest_word(flag, flags_of(verb));
    return fmt::format("{}unexpected \"{}\"{}; see {} --help", prefix, unexpected.front(),
                       near.empty() ? "" : fmt::format("; did you mean {}?", near), name);
  }
  return fmt::format("{}{}; see {} --help", prefix, error.what(), name);
}

// Where the words for ssh begin: after a first verb "ssh" that is not asked for help. words.size() when there is none.
size_t ssh_arguments_begin(const std::vector<std::string>& words) {
  for (size_t i = 0; i < words.size(); i++) {
    if (words[i] == "--home" || words[i] == "--auth-socket") {
      i++;
    } else if (words[i] == "ssh") {
      const bool asks_for_help = i + 1 < words.size() && (words[i + 1] == "--help" || words[i + 1] == "-h");
      return asks_for_help ? words.size() : i + 1;
    } else if (!words[i].starts_with('-')) {
      break;
    }
  }
  return words.size();
}

}  // namespace

std::optional<int> parse_command_line(int argc, const char* const* argv, Command& command) {
  CLI::App app("Cairn: access to Linux hosts that leaves a trail one can trust.", "cairn");
  add_all(app, command);
  std::vector<std::string> words(argv + 1, argv + argc);
  const auto for_ssh = words.begin() + static_cast<ptrdiff_t>(ssh_arguments_begin(words));
  command.ssh_arguments.assign(for_ssh, words.end());
  words.erase(for_ssh, words.end());
  std::reverse(words.begin(), words.end());  // as CLI11 wants them
  try {
    app.parse(words);
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    const Result<void> printed = print_text(app.help());
    return printed ? kExitOk : kExitError;
  } catch (const CLI::CallForVersion& version) {
    const Result<void> printed = print_text(fmt::format("{}\n", version.what()));
    return printed ? kExitOk : kExitError;
  } catch (const CLI::ParseError& error) {
    print_warning(usage_sentence(app, error));
    return kExitUsage;
  }
}

}  // namespace cairn::cli
