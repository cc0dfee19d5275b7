#include <memory>

#include <fmt/format.h>

#include "cli/player/recording_feed.h"
#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/print/plain_text.h"
#include "cli/print/table.h"
#include "cli/verbs/list_sessions.h"
#include "cli/verbs/open_recording.h"
#include "cli/verbs/verbs.h"

namespace cairn::cli {
namespace {

using recorder::Summary;

Result<int> list(const Context& context, const SessionQuery& query) {
  Result<std::vector<auth::v1::Session>> sessions = list_sessions(context, query);
  if (!sessions) return fail(sessions);
  std::erase_if(*sessions, [](const auth::v1::Session& session) { return session.recording_chunks() == 0; });
  if (context.is_json()) {
    if (const Result<void> printed = print_json(to_json_array(*sessions)); !printed) return fail(printed);
    return kExitOk;
  }
  Table table({"SESSION", "RECORDING", "SIZE", "CHUNKS", "USER", "NODE", "START"});
  for (const auth::v1::Session& session : *sessions) {
    table.add({session.id(), session.recording_complete() ? session.end_reason() : "live",
               format_bytes(session.recording_bytes()), std::to_string(session.recording_chunks()), session.user(),
               session.node_name(), format_utc(session.start_wall_s())});
  }
  if (const Result<void> printed = print_text(table.text()); !printed) return fail(printed);
  return kExitOk;
}

// Reads the recording to its end, or to where it breaks; what came before is counted either way.
struct Verdict {
  Summary summary;
  bool is_live = false;
  std::optional<Error> broken;
};

Result<Verdict> read_whole(RecordingFeed& feed) {
  Verdict verdict;
  for (;;) {
    const Result<EventFeed::Step> step = feed.next(std::chrono::milliseconds(0));
    if (step && step->state == EventFeed::State::kEvent) continue;
    if (!step && exit_code_of(step.error()) != kExitIncomplete) return fail(step);
    if (!step) verdict.broken = step.error();
    verdict.is_live = step && step->state == EventFeed::State::kWaiting;
    verdict.summary = feed.summary();
    return verdict;
  }
}

nlohmann::ordered_json verdict_json(const Verdict& verdict) {
  const Summary& summary = verdict.summary;
  nlohmann::ordered_json object{{"session_id", summary.begin.session_id()},
                                {"complete", summary.is_complete && !verdict.broken},
                                {"accounted", summary.is_accounted},
                                {"sequence_complete", summary.is_sequence_complete},
                                {"live", verdict.is_live},
                                {"end_reason", summary.end ? recording::v1::EndReason_Name(summary.end->reason()) : ""},
                                {"bytes", summary.bytes},
                                {"chunks", summary.chunks},
                                {"events", summary.events},
                                {"late_events", summary.late_events},
                                {"kernel_issued", summary.kernel_issued},
                                {"kernel_stored", summary.kernel_stored},
                                {"kernel_missing", summary.kernel_missing},
                                {"gaps", summary.gaps},
                                {"output_bytes", summary.totals.output_bytes},
                                {"missing_output_bytes", summary.missing_output_bytes},
                                {"execs", summary.totals.execs},
                                {"opens", summary.totals.opens},
                                {"connects", summary.totals.connects},
                                {"exits", summary.totals.exits},
                                {"changes", summary.totals.changes},
                                {"sockets", summary.totals.sockets},
                                {"tampers", summary.totals.tampers},
                                {"folded", summary.totals.folded},
                                {"findings", summary.findings}};
  object["broken"] = verdict.broken ? nlohmann::ordered_json(verdict.broken->message) : nullptr;
  return object;
}

std::string yes_no(bool is_so) { return is_so ? "yes" : "NO"; }

std::string verdict_text(const Verdict& verdict) {
  const Summary& summary = verdict.summary;
  const int64_t seconds = static_cast<int64_t>((summary.last_boot_ns - summary.first_boot_ns) / 1'000'000'000);
  std::string text = fmt::format(
      "session           {}\n"
      "who and where     {} as {} on {}\n"
      "begun             {}, lasting {}\n"
      "complete          {}\n"
      "all accounted     {}\n"
      "sequence complete {}\n"
      "kernel events     {} issued, {} stored, {} missing\n"
      "                  {} execs, {} opens, {} connects, {} exits, {} changes, {} sockets, {} tampers, {} more "
      "folded\n"
      "terminal output   {} bytes, {} missing\n"
      "gaps              {}\n"
      "size              {} in {} chunks, {} events\n",
      printable(summary.begin.session_id()), printable(summary.begin.user()), printable(summary.begin.login()),
      printable(summary.begin.node_name()), format_utc(summary.begin.wall_ns() / 1'000'000'000), format_span(seconds),
      verdict.is_live ? "not yet: the session is live" : yes_no(summary.is_complete && !verdict.broken),
      yes_no(summary.is_accounted), yes_no(summary.is_sequence_complete), summary.kernel_issued, summary.kernel_stored,
      summary.kernel_missing, summary.totals.execs, summary.totals.opens, summary.totals.connects, summary.totals.exits,
      summary.totals.changes, summary.totals.sockets, summary.totals.tampers, summary.totals.folded,
      summary.totals.output_bytes, summary.missing_output_bytes, summary.gaps, format_bytes(summary.bytes),
      summary.chunks, summary.events);
  for (const std::string& finding : summary.findings) text += fmt::format("contradiction     {}\n", printable(finding));
  return text;
}

Result<int> verify(const Context& context, const std::string& name, const std::string& identity) {
  Result<std::unique_ptr<RecordingSource>> source = open_recording(context, name, identity);
  if (!source) return fail(source);
  RecordingFeed feed(std::move(*source));
  const Result<Verdict> verdict = read_whole(feed);
  if (!verdict) return fail(verdict);
  const Result<void> printed =
      context.is_json() ? print_json(verdict_json(*verdict)) : print_text(verdict_text(*verdict));
  if (!printed) return fail(printed);
  const std::optional<Error>& broken = verdict->broken;
  if (broken) return tl::make_unexpected(*broken);
  if (verdict->is_live) {
    print_warning("the session is still live; verify it again when it has ended");
    return kExitIncomplete;
  }
  const Summary& summary = verdict->summary;
  if (!summary.findings.empty()) {
    print_warning("the recording contradicts itself: " + summary.findings.front());
    return kExitIncomplete;
  }
  if (!summary.is_sequence_complete || summary.missing_output_bytes > 0 || summary.missing_other_events > 0) {
    print_warning("the recording is incomplete: events are missing; \"cairn play --events=only\" shows where");
    return kExitIncomplete;
  }
  return kExitOk;
}

}  // namespace

void add_recording_verbs(CLI::App& app, Command& command) {
  CLI::App* recordings = add_verb(app, "recordings", "List and verify recordings", "cairn recordings ls");
  recordings->require_subcommand(1);
  auto query = std::make_shared<SessionQuery>();
  CLI::App* ls = add_verb(*recordings, "ls", "List the recordings that auth holds, newest first",
                          "cairn recordings ls\ncairn recordings ls --user=alice --format=json");
  add_session_options(ls, *query);
  add_format(ls, command);
  ls->callback([&command, query] { command.run = [&command, query] { return list(command.context, *query); }; });

  auto name = std::make_shared<std::string>();
  CLI::App* check = add_verb(*recordings, "verify",
                             "Read a whole recording and say whether it holds all it must: exit 0 if so, 3 if not",
                             "cairn recordings verify 7c1e\ncairn recordings verify copied.rec --format=json");
  check->add_option("SESSION", *name, "a session's UUID, at least 4 characters of its beginning, or a file")
      ->required();
  auto identity = std::make_shared<std::string>();
  add_identity(check, *identity);
  add_format(check, command);
  check->callback([&command, name, identity] {
    command.run = [&command, name, identity] { return verify(command.context, *name, *identity); };
  });
}

}  // namespace cairn::cli
