#include <memory>

#include <fmt/format.h>

#include "base/options.h"
#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/print/plain_text.h"
#include "cli/print/table.h"
#include "cli/verbs/ask.h"
#include "cli/verbs/time_point.h"
#include "cli/verbs/verbs.h"

namespace cairn::cli {
namespace {

enum class Which { kAll, kOnline };

std::string capture_of(const auth::v1::Node& node) {
  return node.capture_tier().empty() ? "none" : "tier " + node.capture_tier();
}

// A block of lines for each node: what it can capture, by which hooks, and what is wrong with that.
std::string describe(const auth::v1::Node& node, int64_t now_wall_s) {
  std::string hooks;
  for (const std::string& hook : node.hooks()) hooks += (hooks.empty() ? "" : ", ") + hook;
  std::string text = fmt::format(
      "{}\n  id         {}\n  state      {}, last seen {}\n  labels     {}\n  version    {}\n  kernel     {}\n  "
      "capture    {}\n",
      printable(node.name()), node.id(), node.online() ? "online" : "offline",
      format_relative(node.last_seen_wall_s(), now_wall_s),
      printable(format_labels({node.labels().begin(), node.labels().end()})), printable(node.version()),
      printable(node.kernel()), printable(capture_of(node)));
  if (!hooks.empty()) text += fmt::format("  hooks      {}\n", printable(hooks));
  if (!node.capture_error().empty()) text += fmt::format("  WRONG      {}\n", printable(node.capture_error()));
  return text;
}

Result<int> list_nodes(const Context& context, Which which, bool is_verbose = false) {
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
  if (is_verbose) {
    std::string text;
    for (const auth::v1::Node& node : nodes) {
      text += (text.empty() ? "" : "\n") + describe(node, context.clock.wall_s());
    }
    if (const Result<void> printed = print_text(text); !printed) return fail(printed);
    return kExitOk;
  }
  Table table({"NAME", "STATE", "LABELS", "CAPTURE", "VERSION", "LAST SEEN", "ID"});
  for (const auth::v1::Node& node : nodes) {
    table.add({node.name(), node.online() ? "online" : "offline",
               format_labels({node.labels().begin(), node.labels().end()}),
               capture_of(node) + (node.capture_error().empty() ? "" : " (!)"), node.version(),
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
  auto is_verbose = std::make_shared<bool>(false);
  all->add_flag("-v,--verbose", *is_verbose, "kernel, capture tier, hooks, and what is wrong with them, for each");
  all->callback([&command, is_verbose] {
    command.run = [&command, is_verbose] { return list_nodes(command.context, Which::kAll, *is_verbose); };
  });

  auto node = std::make_shared<std::string>();
  CLI::App* rm = add_verb(*nodes, "rm", "Remove a node; its certificate counts no longer", "cairn nodes rm web-1");
  rm->add_option("NODE", *node, "name or UUID")->required();
  auto since = std::make_shared<std::string>();
  rm->add_option(
      "--compromised-since", *since,
      "when it fell into wrong hands (2026-11-20T22:25:06Z, or 3h: so long ago): recordings of its sessions since "
      "then verify as revoked");
  add_format(rm, command);
  rm->callback([&command, node, since] {
    command.run = [&command, node, since]() -> Result<int> {
      auth::v1::Request request;
      request.mutable_delete_node()->set_node(*node);
      if (!since->empty()) {
        const Result<int64_t> wall_s = parse_time_point(*since, command.context.clock.wall_s());
        if (!wall_s) return fail(wall_s, "--compromised-since");
        request.mutable_delete_node()->set_compromised_since_wall_s(*wall_s);
      }
      return ask_for_done(command.context, std::move(request), fmt::format("Removed node {}", *node));
    };
  });
}

}  // namespace cairn::cli
