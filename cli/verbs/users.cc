#include <memory>

#include <fmt/format.h>

#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/print/plain_text.h"
#include "cli/print/table.h"
#include "cli/terminal/password.h"
#include "cli/verbs/ask.h"
#include "cli/verbs/verbs.h"

namespace cairn::cli {
namespace {

struct Options {
  std::string name;
  std::vector<std::string> roles;
  bool is_password_on_stdin = false;
};

Result<int> add(const Context& context, const Options& options) {
  Result<std::string> password =
      read_new_password(options.is_password_on_stdin, fmt::format("New password of {}: ", printable(options.name)));
  if (!password) return fail(password);
  auth::v1::Request request;
  request.mutable_put_user()->set_name(options.name);
  request.mutable_put_user()->mutable_roles()->Add(options.roles.begin(), options.roles.end());
  request.mutable_put_user()->set_password(std::move(*password));
  return ask_for_done(context, std::move(request), fmt::format("Wrote user {}", options.name));
}

Result<int> list(const Context& context) {
  auth::v1::Request request;
  request.mutable_list_users();
  const auto response = ask(context, std::move(request), auth::v1::Response::kListUsers);
  if (!response) return fail(response);
  Table table({"NAME", "ROLES", "CREATED"});
  for (const auth::v1::User& user : response->list_users().users())
    table.add({user.name(), fmt::format("{}", fmt::join(user.roles(), ",")), format_utc(user.created_wall_s())});
  const Result<void> printed =
      context.is_json() ? print_json(to_json_array(response->list_users().users())) : print_text(table.text());
  if (!printed) return fail(printed);
  return kExitOk;
}

// One's own needs the old one too: the first line of standard input, the new one the second.
Result<int> set_password(const Context& context, const Options& options) {
  auth::v1::Request request;
  auth::v1::SetPasswordRequest& change = *request.mutable_set_password();
  change.set_user(options.name);
  if (options.name.empty()) {
    Result<std::string> old_password = read_password(options.is_password_on_stdin, "Your present password: ");
    if (!old_password) return fail(old_password);
    change.set_old_password(std::move(*old_password));
  }
  Result<std::string> password = read_new_password(options.is_password_on_stdin, "New password: ");
  if (!password) return fail(password);
  change.set_password(std::move(*password));
  return ask_for_done(context, std::move(request), "The password is changed");
}

void add_add(CLI::App& users, Command& command) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = add_verb(users, "add", "Make a user, or give one other roles and another password",
                            "cairn users add alice --roles=ops,audit\n"
                            "cairn users add alice --roles=ops --password-stdin <password-file");
  verb->add_option("NAME", options->name, "the person's name")->required();
  verb->add_option("--roles", options->roles, "a,b: \"cairn roles ls\" lists them")->delimiter(',');
  verb->add_flag("--password-stdin", options->is_password_on_stdin,
                 "read the password from standard input (or set CAIRN_PASSWORD_FILE)");
  add_format(verb, command);
  verb->callback([&command, options] { command.run = [&command, options] { return add(command.context, *options); }; });
}

void add_passwd(CLI::App& users, Command& command) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = add_verb(users, "passwd", "Change a password: your own, or with the verb \"users\" another's",
                            "cairn users passwd\n"
                            "cairn users passwd alice\n"
                            "printf 'old one\\nnew one\\n' | cairn users passwd --password-stdin");
  verb->add_option("NAME", options->name, "whose [your own, which needs the present one]");
  verb->add_flag(
      "--password-stdin", options->is_password_on_stdin,
      "read from standard input: for your own, the present one on the first line, the new one on the second");
  add_format(verb, command);
  verb->callback(
      [&command, options] { command.run = [&command, options] { return set_password(command.context, *options); }; });
}

}  // namespace

void add_user_verbs(CLI::App& app, Command& command) {
  CLI::App* users = add_verb(app, "users", "Make, list and remove people; change passwords", "cairn users ls");
  users->require_subcommand(1);
  add_add(*users, command);
  add_passwd(*users, command);

  CLI::App* ls = add_verb(*users, "ls", "List people and their roles", "cairn users ls");
  add_format(ls, command);
  ls->callback([&command] { command.run = [&command] { return list(command.context); }; });

  auto name = std::make_shared<std::string>();
  CLI::App* rm = add_verb(*users, "rm", "Remove a person; their certificates count no longer", "cairn users rm alice");
  rm->add_option("NAME", *name, "the person's name")->required();
  add_format(rm, command);
  rm->callback([&command, name] {
    command.run = [&command, name] {
      auth::v1::Request request;
      request.mutable_delete_user()->set_name(*name);
      return ask_for_done(command.context, std::move(request), fmt::format("Removed user {}", *name));
    };
  });
}

}  // namespace cairn::cli
