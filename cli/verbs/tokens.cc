#include <memory>

#include <fmt/format.h>

#include "base/options.h"
#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/print/plain_text.h"
#include "cli/print/table.h"
#include "cli/verbs/ask.h"
#include "cli/verbs/verbs.h"

namespace cairn::cli {
namespace {

struct Options {
  std::string type;
  std::string ttl;
  uint32_t uses = 1;
  std::string name;
  std::string labels;
};

Result<auth::v1::Request> create_request(const Options& options) {
  auth::v1::Request request;
  auth::v1::CreateTokenRequest& token = *request.mutable_create_token();
  token.set_type(options.type == "proxy" ? auth::v1::TOKEN_TYPE_PROXY : auth::v1::TOKEN_TYPE_NODE);
  if (!options.ttl.empty()) {
    const Result<std::chrono::seconds> ttl = parse_duration(options.ttl);
    if (!ttl) return fail(ttl, "--ttl");
    if (ttl->count() == 0) return fail(Errc::kInvalid, "--ttl: a token must live for a while");
    token.set_ttl_s(static_cast<uint32_t>(ttl->count()));
  }
  const auto labels = parse_labels(options.labels);
  if (!labels) return fail(labels, "--labels");
  if (!labels->empty() && options.type == "proxy") return fail(Errc::kInvalid, "--labels: only nodes have labels");
  token.mutable_labels()->insert(labels->begin(), labels->end());
  token.set_uses(options.uses);
  token.set_name(options.name);
  return request;
}

// Where a new node finds its cluster: as this person does, if one is logged in here.
std::string proxy_address(const Context& context) {
  const Result<Home> home = context.home();
  if (!home) return "PROXY:3080";
  const Result<Profile> profile = home->load_profile();
  return profile && !profile->proxy.empty() ? profile->proxy : "PROXY:3080";
}

std::string uses_text(const auth::v1::Token& token) {
  return token.unlimited() ? "any number" : std::to_string(token.uses_left());
}

std::string created_text(const Context& context, const auth::v1::CreateTokenResponse& created) {
  const auth::v1::Token& token = created.token();
  const std::string start = token.type() == auth::v1::TOKEN_TYPE_PROXY
                                ? fmt::format("cairn-proxy --auth-address AUTH:3025 --token {} --ca-pin {}",
                                              created.secret(), created.ca_pin())
                                : fmt::format("cairn-agent --proxy-address {} --token {} --ca-pin {}",
                                              proxy_address(context), created.secret(), created.ca_pin());
  return fmt::format(
      "Token:    {}\n"
      "Name:     {}\n"
      "Expires:  {} ({})\n"
      "Uses:     {}\n"
      "CA pin:   {}\n"
      "\n"
      "The token is shown this once. As root on the new {}:\n"
      "  {}\n",
      created.secret(), printable(token.name()), format_utc(token.expires_wall_s()),
      format_relative(token.expires_wall_s(), context.clock.wall_s()), uses_text(token), created.ca_pin(),
      token.type() == auth::v1::TOKEN_TYPE_PROXY ? "proxy's host" : "node", printable(start));
}

Result<int> add(const Context& context, const Options& options) {
  Result<auth::v1::Request> request = create_request(options);
  if (!request) return fail(request);
  const auto response = ask(context, std::move(*request), auth::v1::Response::kCreateToken);
  if (!response) return fail(response);
  const auth::v1::CreateTokenResponse& created = response->create_token();
  const Result<void> printed =
      context.is_json() ? print_json(to_json(created)) : print_text(created_text(context, created));
  if (!printed) return fail(printed);
  return kExitOk;
}

Result<int> list(const Context& context) {
  auth::v1::Request request;
  request.mutable_list_tokens();
  const auto response = ask(context, std::move(request), auth::v1::Response::kListTokens);
  if (!response) return fail(response);
  const auto& tokens = response->list_tokens().tokens();
  Table table({"NAME", "TYPE", "EXPIRES", "USES LEFT", "LABELS", "CREATED BY"});
  for (const auth::v1::Token& token : tokens) {
    table.add({token.name(), token.type() == auth::v1::TOKEN_TYPE_PROXY ? "proxy" : "node",
               format_relative(token.expires_wall_s(), context.clock.wall_s()), uses_text(token),
               format_labels({token.labels().begin(), token.labels().end()}), token.created_by()});
  }
  const Result<void> printed = context.is_json() ? print_json(to_json_array(tokens)) : print_text(table.text());
  if (!printed) return fail(printed);
  return kExitOk;
}

void add_add(CLI::App& tokens, Command& command) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = add_verb(tokens, "add", "Make a join token, and print how a new host uses it",
                            "cairn tokens add --type=node --ttl=30m --labels=env=prod,rack=7\n"
                            "cairn tokens add --type=node --uses=0 --name=autoscaling   # any number of hosts\n"
                            "cairn tokens add --type=proxy --format=json | jq -r .secret");
  verb->add_option("--type", options->type, "what may join with it")
      ->required()
      ->check(CLI::IsMember({"node", "proxy"}));
  verb->add_option("--ttl", options->ttl, "how long it is valid, for example 2h [the cluster's, 30m]");
  verb->add_option("--uses", options->uses, "how many hosts may join with it; 0: any number")->capture_default_str();
  verb->add_option("--name", options->name, "its public name [made by auth]");
  verb->add_option("--labels", options->labels, "a=b,c=d: given to every node that joins with it");
  add_format(verb, command);
  verb->callback([&command, options] { command.run = [&command, options] { return add(command.context, *options); }; });
}

}  // namespace

void add_token_verbs(CLI::App& app, Command& command) {
  CLI::App* tokens = add_verb(app, "tokens", "Make, list and revoke join tokens", "cairn tokens ls");
  tokens->require_subcommand(1);
  add_add(*tokens, command);

  CLI::App* ls = add_verb(*tokens, "ls", "List join tokens, without their secrets", "cairn tokens ls");
  add_format(ls, command);
  ls->callback([&command] { command.run = [&command] { return list(command.context); }; });

  auto name = std::make_shared<std::string>();
  CLI::App* rm = add_verb(*tokens, "rm", "Revoke a join token", "cairn tokens rm node-1f2e3d4c");
  rm->add_option("NAME", *name, "its public name")->required();
  add_format(rm, command);
  rm->callback([&command, name] {
    command.run = [&command, name] {
      auth::v1::Request request;
      request.mutable_delete_token()->set_name(*name);
      return ask_for_done(command.context, std::move(request), fmt::format("Revoked token {}", *name));
    };
  });
}

}  // namespace cairn::cli
