#include <memory>

#include <fmt/format.h>

#include "base/options.h"
#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/print/table.h"
#include "cli/verbs/ask.h"
#include "cli/verbs/verbs.h"

namespace cairn::cli {
namespace {

struct Options {
  std::string name;
  std::string node_labels;
  std::vector<std::string> logins;
  std::vector<std::string> roles;
  std::vector<std::string> users;
  std::string keep;
};

std::string keep_text(const auth::v1::RetentionRule& rule) {
  return rule.keep_s() == 0 ? "forever" : format_duration(std::chrono::seconds(rule.keep_s()));
}

Result<int> add(const Context& context, const Options& options) {
  auth::v1::Request request;
  auth::v1::RetentionRule& rule = *request.mutable_put_retention_rule()->mutable_rule();
  rule.set_name(options.name);
  const auto labels = parse_labels(options.node_labels);
  if (!labels) return fail(labels, "--node-labels");
  rule.mutable_node_labels()->insert(labels->begin(), labels->end());
  rule.mutable_logins()->Add(options.logins.begin(), options.logins.end());
  rule.mutable_roles()->Add(options.roles.begin(), options.roles.end());
  rule.mutable_users()->Add(options.users.begin(), options.users.end());
  if (options.keep != "forever") {
    const Result<std::chrono::seconds> keep = parse_duration(options.keep);
    if (!keep) return fail(keep, "--keep");
    if (keep->count() == 0)
      return fail(Errc::kInvalid, "--keep: 0 would keep nothing; write for example 90d, or forever");
    rule.set_keep_s(static_cast<uint64_t>(keep->count()));
  }
  return ask_for_done(context, std::move(request),
                      fmt::format("Wrote retention rule {}: keep {}", options.name, keep_text(rule)));
}

Result<int> list(const Context& context) {
  auth::v1::Request request;
  request.mutable_list_retention_rules();
  const auto response = ask(context, std::move(request), auth::v1::Response::kListRetentionRules);
  if (!response) return fail(response);
  const auto& rules = response->list_retention_rules().rules();
  Table table({"NAME", "KEEP", "NODE LABELS", "LOGINS", "ROLES", "USERS"});
  for (const auth::v1::RetentionRule& rule : rules) {
    table.add({rule.name(), keep_text(rule), format_labels({rule.node_labels().begin(), rule.node_labels().end()}),
               fmt::format("{}", fmt::join(rule.logins(), ",")), fmt::format("{}", fmt::join(rule.roles(), ",")),
               fmt::format("{}", fmt::join(rule.users(), ","))});
  }
  const Result<void> printed = context.is_json() ? print_json(to_json_array(rules)) : print_text(table.text());
  if (!printed) return fail(printed);
  return kExitOk;
}

Result<int> reapply(const Context& context, const std::string& reason) {
  auth::v1::Request request;
  request.mutable_reapply_retention()->set_reason(reason);
  const auto response = ask(context, std::move(request), auth::v1::Response::kReapplyRetention);
  if (!response) return fail(response);
  const auth::v1::ReapplyRetentionResponse& answer = response->reapply_retention();
  const Result<void> printed =
      context.is_json() ? print_json(to_json(answer))
                        : print_text(fmt::format("{} recordings are kept for another time now\n", answer.recordings()));
  if (!printed) return fail(printed);
  return kExitOk;
}

void add_add(CLI::App& retention, Command& command) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = add_verb(retention, "add",
                            "Make a rule, or write one anew: recordings that it matches are kept for so long, then "
                            "deleted. Of several that match, the longest counts; what was promised is not shortened",
                            "cairn retention add all --node-labels='*=*' --keep=90d\n"
                            "cairn retention add prod-root --node-labels=env=prod --logins=root --keep=3650d\n"
                            "cairn retention add contractors --node-labels='*=*' --roles=contractor --keep=forever");
  verb->add_option("NAME", options->name, "the rule's name")->required();
  verb->add_option("--node-labels", options->node_labels,
                   "a=b,c=d: all must match the node; the value * matches any, *=* every node")
      ->required();
  verb->add_option("--logins", options->logins, "a,b: sessions of these accounts [any]")->delimiter(',');
  verb->add_option("--roles", options->roles, "a,b: of people with one of these roles [any]")->delimiter(',');
  verb->add_option("--users", options->users, "a,b: of these people [any]")->delimiter(',');
  verb->add_option("--keep", options->keep, "for so long after the session's end: 90d, 12h; or forever")->required();
  add_format(verb, command);
  verb->callback([&command, options] { command.run = [&command, options] { return add(command.context, *options); }; });
}

void add_reapply(CLI::App& retention, Command& command) {
  auto reason = std::make_shared<std::string>();
  CLI::App* verb =
      add_verb(retention, "reapply", "Take back what earlier, longer rules have promised: only the rules of now count",
               "cairn retention reapply --reason=\"new policy of 2026-11\"");
  verb->add_option("--reason", *reason, "why; stands in the audit log")->required();
  add_format(verb, command);
  verb->callback(
      [&command, reason] { command.run = [&command, reason] { return reapply(command.context, *reason); }; });
}

}  // namespace

void add_retention_verbs(CLI::App& app, Command& command) {
  CLI::App* retention =
      add_verb(app, "retention", "Make, list and remove rules for how long recordings are kept", "cairn retention ls");
  retention->require_subcommand(1);
  add_add(*retention, command);

  CLI::App* ls = add_verb(*retention, "ls", "List retention rules", "cairn retention ls");
  add_format(ls, command);
  ls->callback([&command] { command.run = [&command] { return list(command.context); }; });

  auto name = std::make_shared<std::string>();
  CLI::App* rm = add_verb(*retention, "rm",
                          "Remove a retention rule; recordings keep what it has promised, and it deletes none any more",
                          "cairn retention rm all");
  rm->add_option("NAME", *name, "the rule's name")->required();
  add_format(rm, command);
  rm->callback([&command, name] {
    command.run = [&command, name] {
      auth::v1::Request request;
      request.mutable_delete_retention_rule()->set_name(*name);
      return ask_for_done(command.context, std::move(request), fmt::format("Removed retention rule {}", *name));
    };
  });
  add_reapply(*retention, command);
}

}  // namespace cairn::cli
