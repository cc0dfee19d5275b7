#include <charconv>
#include <memory>
#include <optional>
#include <string_view>

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
  std::string name;
  std::vector<std::string> logins;
  std::string node_labels;
  std::vector<std::string> verbs;
  bool requires_kernel_events = false;
  std::string linger_limit;
  bool records_input = false;
  std::string piped_output = "1M";
  std::vector<std::string> forwards{"ports", "agent"};
};

// "0", "65536", "64K", "1M", "2G"; "all": none.
Result<std::optional<uint64_t>> parse_limit(const std::string& text) {
  if (text == "all") return std::optional<uint64_t>();
  uint64_t number = 0;
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number);
  const std::string_view unit(end, static_cast<size_t>(last - end));
  constexpr std::string_view kUnits = "KMG";
  const size_t at = unit.size() == 1 ? kUnits.find(unit.front()) : std::string_view::npos;
  constexpr uint64_t kMost = uint64_t{1} << 20;  // units
  if (error != std::errc() || (!unit.empty() && at == std::string_view::npos) || (!unit.empty() && number > kMost))
    return fail(Errc::kInvalid, fmt::format("--piped-output: \"{}\" is no size: write 0, 64K, 1M or all", text));
  return std::optional<uint64_t>(unit.empty() ? number : number << (10 * (at + 1)));
}

std::string limit_text(const auth::v1::RecordingPolicy& policy) {
  if (!policy.has_piped_output_bytes()) return "all";
  return policy.piped_output_bytes() == 0 ? "none" : format_bytes(policy.piped_output_bytes());
}

Result<int> add(const Context& context, const Options& options) {
  const auto labels = parse_labels(options.node_labels);
  if (!labels) return fail(labels, "--node-labels");
  auth::v1::Request request;
  auth::v1::Role& role = *request.mutable_put_role()->mutable_role();
  role.set_name(options.name);
  role.mutable_logins()->Add(options.logins.begin(), options.logins.end());
  role.mutable_node_labels()->insert(labels->begin(), labels->end());
  role.mutable_verbs()->Add(options.verbs.begin(), options.verbs.end());
  if (options.forwards != std::vector<std::string>{"none"})
    role.mutable_forwards()->Add(options.forwards.begin(), options.forwards.end());
  role.mutable_policy()->set_require_kernel_events(options.requires_kernel_events);
  role.mutable_policy()->set_record_input(options.records_input);
  const Result<std::optional<uint64_t>> limit = parse_limit(options.piped_output);
  if (!limit) return fail(limit);
  if (limit->has_value()) role.mutable_policy()->set_piped_output_bytes(**limit);
  if (!options.linger_limit.empty()) {
    const Result<std::chrono::seconds> linger = parse_duration(options.linger_limit);
    if (!linger) return fail(linger, "--linger-limit");
    role.mutable_policy()->set_linger_limit_s(static_cast<uint64_t>(linger->count()));
  }
  return ask_for_done(context, std::move(request), fmt::format("Wrote role {}", options.name));
}

Result<int> list(const Context& context) {
  auth::v1::Request request;
  request.mutable_list_roles();
  const auto response = ask(context, std::move(request), auth::v1::Response::kListRoles);
  if (!response) return fail(response);
  Table table({"NAME", "LOGINS", "NODE LABELS", "VERBS", "KERNEL EVENTS", "INPUT", "PIPED", "FORWARDS"});
  for (const auth::v1::Role& role : response->list_roles().roles()) {
    table.add({role.name(), fmt::format("{}", fmt::join(role.logins(), ",")),
               format_labels({role.node_labels().begin(), role.node_labels().end()}),
               fmt::format("{}", fmt::join(role.verbs(), ",")),
               role.policy().require_kernel_events() ? "required" : "where possible",
               role.policy().record_input() ? "recorded" : "no", limit_text(role.policy()),
               fmt::format("{}", fmt::join(role.forwards(), ","))});
  }
  const Result<void> printed =
      context.is_json() ? print_json(to_json_array(response->list_roles().roles())) : print_text(table.text());
  if (!printed) return fail(printed);
  return kExitOk;
}

void add_add(CLI::App& roles, Command& command) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = add_verb(roles, "add", "Make a role, or write one anew",
                            "cairn roles add ops --logins=root,deploy --node-labels='*=*' --verbs=audit,recordings\n"
                            "cairn roles add web --logins=deploy --node-labels='env=prod,tier=web' "
                            "--require-kernel-events");
  verb->add_option("NAME", options->name, "the role's name")->required();
  verb->add_option("--logins", options->logins, "a,b: accounts that it may become")->delimiter(',');
  verb->add_option("--node-labels", options->node_labels,
                   "a=b,c=d: all must match; the value * matches any, *=* every node [no node]");
  verb->add_option(
          "--verbs", options->verbs,
          "tokens, users, nodes, audit, recordings, holds, deletion, retention, keys, *: what it may administer")
      ->delimiter(',');
  verb->add_flag("--require-kernel-events", options->requires_kernel_events,
                 "no session on a node that cannot capture kernel events");
  verb->add_flag(
      "--record-input", options->records_input,
      "record what is typed into terminals, too; of what a program reads without showing it (passwords) only "
      "when and how much");
  verb->add_option(
      "--piped-output", options->piped_output,
      "SIZE (0, 64K, 1M), or all: how much is kept of each stream of output that goes to no terminal; what "
      "is beyond is passed on and counted [1M]");
  verb->add_option("--forward", options->forwards,
                   "ports (ssh -L, -R, -D, -W, -J), agent (-A), x11 (-X), or none: what its sessions may forward "
                   "[ports,agent]")
      ->delimiter(',');
  verb->add_option("--linger-limit", options->linger_limit,
                   "how long a recording stays open for processes that outlive the terminal [24h]");
  add_format(verb, command);
  verb->callback([&command, options] { command.run = [&command, options] { return add(command.context, *options); }; });
}

}  // namespace

void add_role_verbs(CLI::App& app, Command& command) {
  CLI::App* roles = add_verb(app, "roles", "Make, list and remove roles", "cairn roles ls");
  roles->require_subcommand(1);
  add_add(*roles, command);

  CLI::App* ls = add_verb(*roles, "ls", "List roles", "cairn roles ls");
  add_format(ls, command);
  ls->callback([&command] { command.run = [&command] { return list(command.context); }; });

  auto name = std::make_shared<std::string>();
  CLI::App* rm = add_verb(*roles, "rm", "Remove a role", "cairn roles rm web");
  rm->add_option("NAME", *name, "the role's name")->required();
  add_format(rm, command);
  rm->callback([&command, name] {
    command.run = [&command, name] {
      auth::v1::Request request;
      request.mutable_delete_role()->set_name(*name);
      return ask_for_done(command.context, std::move(request), fmt::format("Removed role {}", *name));
    };
  });
}

}  // namespace cairn::cli
