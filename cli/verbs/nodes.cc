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

enum class Which { kAll, kOnline };

Result<int> list_nodes(const Context& context, Which which) {
  auth::v1::Request request;
  request.mutable_list_nodes();
  const auto response = ask(context, std::move(request), auth::v1::Response::kListNodes);
  if (!response) return fail(response);
  std::vector<auth::v1::Node> nodes;
  for (const auth::v1::Node& node : response->list_nodes().nodes()) {
    if (which == Which::kAll || node.online()) nodes.push_back(node);
  }
  if (context.is_json()) {
    if (const Result<void> printed = print_json(to_json_array(nodes)); !printed) return fail(printed);
    return kExitOk;
  }
  Table table({"NAME", "STATE", "LABELS", "CAPTURE", "VERSION", "LAST SEEN", "ID"});
  for (const auth::v1::Node& node : nodes) {
    table.add({node.name(), node.online() ? "online" : "offline",
               format_labels({node.labels().begin(), node.labels().end()}),
               node.capture_tier().empty() ? "none" : "tier " + node.capture_tier(), node.version(),
               format_relative(node.last_seen_wall_s(), context.clock.wall_s()), node.id()});
  }
  if (const Result<void> printed = print_text(table.text()); !printed) return fail(printed);
  return kExitOk;
}

}  // namespace

void add_node_verbs(CLI::App& app, Command& command) {
  CLI::App* ls = add_verb(app, "ls", "List the nodes that can be reached now", "cairn ls\ncairn ls --format=json");
  add_format(ls, command);
  ls->callback([&command] { command.run = [&command] { return list_nodes(command.context, Which::kOnline); }; });

  CLI::App* nodes = add_verb(app, "nodes", "List and remove nodes", "cairn nodes ls");
  nodes->require_subcommand(1);
  CLI::App* all =
      add_verb(*nodes, "ls", "List all nodes, offline ones too",
               "cairn nodes ls\ncairn nodes ls --format=json | jq -r '.[] | select(.online | not) | .name'");
  add_format(all, command);
  all->callback([&command] { command.run = [&command] { return list_nodes(command.context, Which::kAll); }; });

  auto node = std::make_shared<std::string>();
  CLI::App* rm = add_verb(*nodes, "rm", "Remove a node; its certificate counts no longer", "cairn nodes rm web-1");
  rm->add_option("NODE", *node, "name or UUID")->required();
  add_format(rm, command);
  rm->callback([&command, node] {
    command.run = [&command, node] {
      auth::v1::Request request;
      request.mutable_delete_node()->set_node(*node);
      return ask_for_done(command.context, std::move(request), fmt::format("Removed node {}", *node));
    };
  });
}

}  // namespace cairn::cli
