#include <memory>

#include <fmt/format.h>

#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/print/plain_text.h"
#include "cli/print/table.h"
#include "cli/verbs/ask.h"
#include "cli/verbs/list_sessions.h"
#include "cli/verbs/verbs.h"

namespace cairn::cli {
namespace {

struct Options {
  SessionQuery query;
  bool is_live = false;
  bool is_ended = false;
};

std::string duration(const auth::v1::Session& session, int64_t now_s) {
  const int64_t end_s = session.end_wall_s() == 0 ? now_s : session.end_wall_s();
  return format_span(std::max<int64_t>(end_s - session.start_wall_s(), 0));
}

// Auth knows the command of a session from its whole recording.
std::string command_of(const auth::v1::Session& session) {
  if (!session.command().empty()) return session.command();
  return session.end_wall_s() == 0 ? "-" : "(shell)";
}

Result<int> list(const Context& context, const Options& options) {
  SessionQuery query = options.query;
  if (options.is_live) query.state = auth::v1::ListSessionsRequest::STATE_LIVE;
  if (options.is_ended) query.state = auth::v1::ListSessionsRequest::STATE_ENDED;
  const Result<std::vector<auth::v1::Session>> sessions = list_sessions(context, query);
  if (!sessions) return fail(sessions);
  if (context.is_json()) {
    if (const Result<void> printed = print_json(to_json_array(*sessions)); !printed) return fail(printed);
    return kExitOk;
  }
  Table table({"SESSION", "STATE", "USER", "LOGIN", "NODE", "START", "DURATION", "COMMAND"});
  for (const auth::v1::Session& session : *sessions) {
    table.add({session.id(), session.end_wall_s() == 0 ? "live" : session.end_reason(), session.user(), session.login(),
               session.node_name(), format_utc(session.start_wall_s()), duration(session, context.clock.wall_s()),
               command_of(session)});
  }
  if (const Result<void> printed = print_text(table.text()); !printed) return fail(printed);
  return kExitOk;
}

}  // namespace

Result<std::vector<auth::v1::Session>> list_sessions(const Context& context, const SessionQuery& query) {
  constexpr uint32_t kMaxPage = 1000;
  Result<AuthSession> session = open_auth(context);
  if (!session) return fail(session);
  std::vector<auth::v1::Session> found;
  std::string page_token;
  do {
    auth::v1::Request request;
    auth::v1::ListSessionsRequest& wanted = *request.mutable_list_sessions();
    wanted.set_state(query.state);
    wanted.set_user(query.user);
    wanted.set_node(query.node);
    wanted.set_limit(std::min(query.is_all ? kMaxPage : query.limit - static_cast<uint32_t>(found.size()), kMaxPage));
    wanted.set_page_token(page_token);
    Result<auth::v1::Response> response = session->call(std::move(request), auth::v1::Response::kListSessions);
    if (!response) return fail(response);
    for (auth::v1::Session& one : *response->mutable_list_sessions()->mutable_sessions())
      found.push_back(std::move(one));
    page_token = response->list_sessions().next_page_token();
  } while (!page_token.empty() && (query.is_all || found.size() < query.limit));
  if (!page_token.empty())
    print_warning(fmt::format("these are the newest {}; --limit or --all shows more", found.size()));
  return found;
}

void add_session_options(CLI::App* verb, SessionQuery& query) {
  verb->add_option("--user", query.user, "of this person");
  verb->add_option("--node", query.node, "on this node: name or UUID");
  verb->add_option("--limit", query.limit, "at most so many, newest first")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  verb->add_flag("--all", query.is_all, "all there are");
}

void add_session_verbs(CLI::App& app, Command& command) {
  CLI::App* sessions = add_verb(app, "sessions", "List sessions", "cairn sessions ls");
  sessions->require_subcommand(1);
  auto options = std::make_shared<Options>();
  CLI::App* ls = add_verb(*sessions, "ls", "List sessions, live and ended, newest first",
                          "cairn sessions ls\n"
                          "cairn sessions ls --live --node=web-1\n"
                          "cairn sessions ls --user=alice --all --format=json");
  add_session_options(ls, options->query);
  CLI::Option* live = ls->add_flag("--live", options->is_live, "only those that go on");
  ls->add_flag("--ended", options->is_ended, "only those that have ended")->excludes(live);
  add_format(ls, command);
  ls->callback([&command, options] { command.run = [&command, options] { return list(command.context, *options); }; });
}

}  // namespace cairn::cli
