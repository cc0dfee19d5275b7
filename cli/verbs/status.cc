#include <fmt/format.h>

#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/print/plain_text.h"
#include "cli/verbs/ask.h"
#include "cli/verbs/verbs.h"

namespace cairn::cli {
namespace {

constexpr std::chrono::seconds kPatience{5};

// Rows of name and value for people, an object for programs.
class Facts {
 public:
  void add(const std::string& name, const std::string& value) {
    object_[name] = value;
    add_row(name, value);
  }
  void add(const std::string& name, uint64_t value) {
    object_[name] = value;
    add_row(name, std::to_string(value));
  }
  void add(const std::string& name, const google::protobuf::RepeatedPtrField<std::string>& values) {
    object_[name] = std::vector<std::string>(values.begin(), values.end());
    add_row(name, values.empty() ? "(none)" : fmt::format("{}", fmt::join(values, ", ")));
  }
  void add_time(const std::string& name, int64_t wall_s, int64_t now_s) {
    object_[name + "_wall_s"] = wall_s;
    add_row(name, fmt::format("{} ({})", format_utc(wall_s), format_relative(wall_s, now_s)));
  }
  Result<void> print(bool is_json) const { return is_json ? print_json(object_) : print_text(rows_); }

 private:
  void add_row(const std::string& name, const std::string& value) {
    std::string label = name;
    for (char& c : label) {
      if (c == '_') c = ' ';
    }
    rows_ += fmt::format("{:<15}{}\n", label, printable(value));
  }

  nlohmann::ordered_json object_ = nlohmann::ordered_json::object();
  std::string rows_;
};

void add_status(const auth::v1::StatusResponse& status, Facts& facts) {
  facts.add("cluster", status.cluster());
  facts.add("identity", status.identity());
  facts.add("ca_pin", status.ca_pin());
  facts.add("roles", status.roles());
  facts.add("logins", status.logins());
  facts.add("nodes", status.nodes());
  facts.add("nodes_online", status.nodes_online());
  facts.add("live_sessions", status.live_sessions());
  facts.add("auth_version", status.version());
}

Result<auth::v1::StatusResponse> ask_status(const Context& context) {
  Result<AuthSession> session = open_auth(context, kPatience);
  if (!session) return fail(session);
  auth::v1::Request request;
  request.mutable_status();
  Result<auth::v1::Response> response = session->call(std::move(request), auth::v1::Response::kStatus, kPatience);
  if (!response) return fail(response);
  return std::move(*response->mutable_status());
}

// What the profile alone knows; it must hold although auth cannot be asked.
Result<void> add_profile(const Home& home, const Context& context, Facts& facts) {
  const auto identity = load_valid_identity(home, context.clock);
  if (!identity) return fail(identity);
  const Result<Profile> profile = home.load_profile();
  if (!profile) return fail(profile);
  facts.add("user", (*identity)->self.id);
  facts.add("cluster", (*identity)->self.cluster);
  facts.add("proxy", profile->proxy);
  facts.add("ca_pin", profile->ca_pin);
  facts.add_time("expires", (*identity)->not_after_s, context.clock.wall_s());
  return {};
}

Result<int> status(const Context& context) {
  const Result<Home> home = context.home();
  if (!home) return fail(home);
  Facts facts;
  const bool is_admin = !context.auth_socket.empty() || !default_auth_socket(*home).empty();
  if (!is_admin) {
    if (const Result<void> added = add_profile(*home, context, facts); !added) return fail(added);
  }
  const Result<auth::v1::StatusResponse> answer = ask_status(context);
  if (!answer && (is_admin || exit_code_of(answer.error()) == kExitDenied)) return fail(answer);
  if (answer && is_admin) add_status(*answer, facts);
  if (answer && !is_admin) {
    facts.add("roles", answer->roles());
    facts.add("logins", answer->logins());
    facts.add("auth_version", answer->version());
  }
  if (const Result<void> printed = facts.print(context.is_json()); !printed) return fail(printed);
  if (!answer) print_warning("auth cannot be asked now: " + answer.error().message);
  return kExitOk;
}

}  // namespace

void add_status_verb(CLI::App& app, Command& command) {
  CLI::App* verb =
      add_verb(app, "status", "Who you are, where, and for how long; on the auth host, the cluster's CA pin",
               "cairn status\n"
               "cairn status --format=json | jq -r .ca_pin");
  add_format(verb, command);
  verb->callback([&command] { command.run = [&command] { return status(command.context); }; });
}

void add_version_verb(CLI::App& app, Command& command) {
  CLI::App* verb = add_verb(app, "version", "Print the version", "cairn version");
  add_format(verb, command);
  verb->callback([&command] {
    command.run = [&command]() -> Result<int> {
      const Result<void> printed = command.context.is_json()
                                       ? print_json(nlohmann::ordered_json{{"version", CAIRN_VERSION}})
                                       : print_text(fmt::format("cairn {}\n", CAIRN_VERSION));
      if (!printed) return fail(printed);
      return kExitOk;
    };
  });
}

}  // namespace cairn::cli
