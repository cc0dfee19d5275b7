#include <memory>

#include <fmt/format.h>

#include "base/ssh_wire.h"
#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/print/plain_text.h"
#include "cli/verbs/ask.h"
#include "cli/verbs/node_name.h"
#include "cli/verbs/verbs.h"

namespace cairn::cli {
namespace {

struct Options {
  std::string host;
  std::string key_type;
};

// ssh asks for "[web-1.home]:2222" when the port is not 22 (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
std::string bare_host(const std::string& host) {
  const size_t bracket = host.find("]:");
  return host.starts_with('[') && bracket != std::string::npos ? host.substr(1, bracket - 1) : host;
}

// What stands in the first field of the line must be this one host, no pattern and no list.
bool is_plain(const std::string& host) { return host.find_first_of(" \t\r\n*?!,|#@") == std::string::npos; }

Result<int> known_hosts(const Context& context, const Options& options) {
  if (!is_plain(options.host)) return fail(Errc::kInvalid, fmt::format("\"{}\" is no host name", options.host));
  Result<AuthSession> session = open_auth(context);
  if (!session) return fail(session);
  const Result<Home> home = context.home();
  if (!home) return fail(home);
  const Result<Profile> profile = home->load_profile();
  if (!profile) return fail(profile);
  const std::string node = node_name_of(bare_host(options.host), profile->cluster);
  auth::v1::Request request;
  request.mutable_list_nodes()->set_name(node);
  const auto response = session->call(std::move(request), auth::v1::Response::kListNodes);
  if (!response && exit_code_of(response.error()) != kExitNotFound) return fail(response);
  std::string lines;
  if (response) {
    for (const auth::v1::Node& found : response->list_nodes().nodes()) {
      Result<SshPublicKey> key = parse_ssh_public_key(found.ssh_host_key());
      if (!key || (!options.key_type.empty() && key->type != options.key_type)) continue;
      key->comment.clear();
      lines += fmt::format("{} {}\n", options.host, ssh_public_key_line(*key));
    }
  }
  if (lines.empty())
    print_warning(fmt::format("no host key is known for \"{}\"; \"cairn ls\" lists the nodes", options.host));
  if (const Result<void> printed = print_text(lines); !printed) return fail(printed);
  return kExitOk;
}

}  // namespace

void add_known_hosts_verb(CLI::App& app, Command& command) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = add_verb(app, "known-hosts", "Print a node's host key as OpenSSH asks for it (KnownHostsCommand)",
                            "cairn known-hosts web-1.home\ncairn known-hosts web-1 ssh-ed25519");
  verb->add_option("HOST", options->host, "name, UUID, or NAME.CLUSTER; printed as it is given")->required();
  verb->add_option("KEYTYPE", options->key_type, "keys of this type alone");
  verb->callback(
      [&command, options] { command.run = [&command, options] { return known_hosts(command.context, *options); }; });
}

}  // namespace cairn::cli
