#include <memory>

#include <fmt/format.h>

#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/print/plain_text.h"
#include "cli/print/table.h"
#include "cli/verbs/ask.h"
#include "cli/verbs/time_point.h"
#include "cli/verbs/verbs.h"

namespace cairn::cli {
namespace {

using audit::v1::AuditEvent;

struct Options {
  std::string since;
  std::string until;
  std::vector<std::string> kinds;
  std::string user;
  std::string node;
  std::string session;
  uint32_t limit = 100;
  bool is_all = false;
  std::string order = "newest";
};

Result<auth::v1::SearchAuditRequest> search_request(const Options& options, int64_t now_s) {
  auth::v1::SearchAuditRequest request;
  if (!options.since.empty()) {
    const Result<int64_t> since = parse_time_point(options.since, now_s);
    if (!since) return fail(since, "--since");
    request.set_since_wall_s(*since);
  }
  if (!options.until.empty()) {
    const Result<int64_t> until = parse_time_point(options.until, now_s);
    if (!until) return fail(until, "--until");
    request.set_until_wall_s(*until);
  }
  request.mutable_kinds()->Add(options.kinds.begin(), options.kinds.end());
  request.set_user(options.user);
  request.set_node(options.node);
  request.set_session_id(options.session);
  request.set_limit(options.limit);
  request.set_ascending(options.order == "oldest");
  return request;
}

// Pages of options.limit: one, or as many as there are.
Result<std::vector<AuditEvent>> search(const Context& context, const Options& options) {
  Result<auth::v1::SearchAuditRequest> wanted = search_request(options, context.clock.wall_s());
  if (!wanted) return fail(wanted);
  Result<AuthSession> session = open_auth(context);
  if (!session) return fail(session);
  std::vector<AuditEvent> found;
  for (;;) {
    auth::v1::Request request;
    *request.mutable_search_audit() = *wanted;
    Result<auth::v1::Response> response = session->call(std::move(request), auth::v1::Response::kSearchAudit);
    if (!response) return fail(response);
    for (AuditEvent& event : *response->mutable_search_audit()->mutable_events()) found.push_back(std::move(event));
    const std::string& next = response->search_audit().next_page_token();
    if (next.empty()) return found;
    if (!options.is_all) {
      print_warning(fmt::format("these are the {} {}; --limit or --all shows more", options.order, found.size()));
      return found;
    }
    wanted->set_page_token(next);
  }
}

Result<int> run_search(const Context& context, const Options& options) {
  const Result<std::vector<AuditEvent>> events = search(context, options);
  if (!events) return fail(events);
  if (context.is_json()) {
    if (const Result<void> printed = print_json(to_json_array(*events)); !printed) return fail(printed);
    return kExitOk;
  }
  constexpr size_t kShortId = 8;
  Table table({"TIME", "KIND", "OK", "USER", "NODE", "SESSION", "MESSAGE"});
  for (const AuditEvent& event : *events) {
    table.add({format_utc(event.wall_ns() / 1'000'000'000), event.kind(), event.success() ? "yes" : "no", event.user(),
               event.node_name(), event.session_id().substr(0, kShortId), event.message()});
  }
  if (const Result<void> printed = print_text(table.text()); !printed) return fail(printed);
  return kExitOk;
}

}  // namespace

void add_audit_verbs(CLI::App& app, Command& command) {
  CLI::App* audit = add_verb(app, "audit", "Search and verify the audit log", "cairn audit search --since=1h");
  audit->require_subcommand(1);
  auto options = std::make_shared<Options>();
  CLI::App* verb = add_verb(*audit, "search", "Search the audit log by time, kind, user, node and session",
                            "cairn audit search --since=1h\n"
                            "cairn audit search --kind=session. --kind=user.login_failed --user=alice\n"
                            "cairn audit search --since=2026-11-20T00:00:00Z --all --order=oldest --format=json");
  verb->add_option("--since", options->since, "90m, 7d, 2026-11-20 or 2026-11-20T22:25:06Z");
  verb->add_option("--until", options->until, "likewise [now]");
  verb->add_option("--kind", options->kinds, "session.start, or session. for all of a noun; may be repeated")
      ->expected(1)
      ->take_all();
  verb->add_option("--user", options->user, "by this person");
  verb->add_option("--node", options->node, "on this node: name or UUID");
  verb->add_option("--session", options->session, "of this session: UUID");
  verb->add_option("--limit", options->limit, "events per page")->check(CLI::Range(1, 1000))->capture_default_str();
  verb->add_flag("--all", options->is_all, "all pages");
  verb->add_option("--order", options->order, "newest or oldest first")
      ->check(CLI::IsMember({"newest", "oldest"}))
      ->capture_default_str();
  add_format(verb, command);
  verb->callback(
      [&command, options] { command.run = [&command, options] { return run_search(command.context, *options); }; });
  add_verify_audit_verb(*audit, command);
}

}  // namespace cairn::cli
