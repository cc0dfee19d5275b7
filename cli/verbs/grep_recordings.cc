#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/print/plain_text.h"
#include "cli/verbs/ask.h"
#include "cli/verbs/open_recording.h"
#include "cli/verbs/time_point.h"
#include "cli/verbs/verbs.h"

namespace cairn::cli {
namespace {

using Found = auth::v1::SearchRecordingsResponse::Found;
using Line = auth::v1::SearchRecordingsResponse::Line;

struct Options {
  std::string pattern;
  std::string recording;
  std::string user;
  std::string node;
  std::string since;
  std::vector<std::string> sources = {"output"};
  std::string identity;
  bool ignores_case = false;
};

constexpr std::array<std::string_view, 4> kSources = {"output", "commands", "files", "network"};

std::vector<derived::v1::Source> sources_of(const Options& options) {
  std::vector<derived::v1::Source> sources;
  for (size_t i = 0; i < kSources.size(); ++i) {
    if (std::ranges::find(options.sources, kSources[i]) != options.sources.end())
      sources.push_back(static_cast<derived::v1::Source>(i));
  }
  return sources;
}

std::string_view name_of(derived::v1::Source source) {
  return derived::v1::Source_IsValid(source) ? kSources[static_cast<size_t>(source)] : "unknown";
}

// As --from of "cairn play" takes it.
std::string position_text(uint64_t at_ms) {
  const uint64_t seconds = at_ms / 1000;
  return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

// Prints what is found as it comes, each session's lines under its name.
class Printer {
 public:
  explicit Printer(bool is_json) : is_json_(is_json) {}

  Result<void> print(const auth::v1::Session& session, const Line& line) {
    found_ = true;
    return is_json_ ? print_as_json(session, line) : print_as_text(session, line);
  }
  void could_not(const std::string& name, const std::string& why) {
    is_incomplete_ = true;
    print_warning(fmt::format("{} was not searched: {}", name, why));
  }
  void searched(uint64_t recordings) { searched_ += recordings; }
  // And says when there was nothing, and where.
  int exit_code() const {
    if (is_incomplete_) return kExitIncomplete;
    if (found_) return kExitOk;
    print_warning(fmt::format("nothing found; recordings searched: {}", searched_));
    return kExitNotFound;
  }

 private:
  static Result<void> print_as_json(const auth::v1::Session& session, const Line& line) {
    nlohmann::ordered_json json = {{"session_id", session.id()},
                                   {"user", session.user()},
                                   {"login", session.login()},
                                   {"node_name", session.node_name()},
                                   {"start_wall_s", session.start_wall_s()},
                                   {"at_ms", line.at_ms()},
                                   {"source", name_of(line.source())},
                                   {"command", line.command()},
                                   {"line", line.text()}};
    return print_text(json_line(json) + "\n");
  }

  Result<void> print_as_text(const auth::v1::Session& session, const Line& line) {
    std::string text;
    if (session.id() != last_session_) {
      text = session.user().empty() ? fmt::format("{}\n", printable(session.id()))
                                    : fmt::format("{}  {} as {} on {}, {}\n", printable(session.id()),
                                                  printable(session.user()), printable(session.login()),
                                                  printable(session.node_name()), format_utc(session.start_wall_s()));
      last_session_ = session.id();
    }
    const std::string command =
        line.command().empty() || line.source() == derived::v1::SOURCE_COMMANDS ? "" : "[" + line.command() + "]  ";
    text += fmt::format("  {}  {}{}\n", position_text(line.at_ms()), printable(command), printable(line.text()));
    return print_text(text);
  }

  bool is_json_;
  bool found_ = false;
  bool is_incomplete_ = false;
  uint64_t searched_ = 0;
  std::string last_session_;
};

// For what auth has derived nothing from.
class SearchHere {
 public:
  static Result<SearchHere> make(const Context& context, const Options& options) {
    Result<recorder::LineSearch> search = recorder::LineSearch::compile(options.pattern, options.ignores_case);
    if (!search) return fail(search);
    Result<LocalDerivation> local = local_derivation(context);
    if (!local) return fail(local);
    return SearchHere(std::move(*search), std::move(*local), sources_of(options));
  }

  Result<void> run(RecordingSource& source, const auth::v1::Session& session, Printer& printer) const {
    const uint64_t chunks = session.recording_complete() ? session.recording_chunks() : 0;
    const Result<recorder::Derived> derived = local_.read(source, chunks);
    if (!derived) {
      printer.could_not(source.name(), derived.error().message);
      return {};
    }
    printer.searched(1);
    for (const recorder::DerivedSegment& segment : derived->file.segments()) {
      const Result<derived::v1::Content> content = derived->file.content(segment);
      if (!content) return fail(content, source.name());
      if (Result<void> printed = print_found(*content, session, printer); !printed) return printed;
    }
    const std::optional<derived::v1::Content>& open_chunk = derived->open_chunk;
    return open_chunk ? print_found(*open_chunk, session, printer) : Result<void>();
  }

 private:
  SearchHere(recorder::LineSearch search, LocalDerivation local, std::vector<derived::v1::Source> sources)
      : search_(std::move(search)), local_(std::move(local)), sources_(std::move(sources)) {}

  Result<void> print_found(const derived::v1::Content& content, const auth::v1::Session& session,
                           Printer& printer) const {
    const Result<std::vector<recorder::FoundText>> lines = recorder::find_text(content, search_, sources_);
    if (!lines) return fail(lines);
    for (const recorder::FoundText& each : *lines) {
      Line line;
      line.set_source(each.source);
      line.set_at_ms(each.time_ms);
      line.set_text(each.text);
      line.set_command(each.command);
      if (Result<void> printed = printer.print(session, line); !printed) return printed;
    }
    return {};
  }

  recorder::LineSearch search_;
  LocalDerivation local_;
  std::vector<derived::v1::Source> sources_;
};

Result<int> grep_file(const Context& context, const Options& options) {
  const Result<std::unique_ptr<RecordingSource>> source =
      open_recording(context, options.recording, {.purpose = "search"}, options.identity);
  if (!source) return fail(source);
  const Result<SearchHere> here = SearchHere::make(context, options);
  if (!here) return fail(here);
  auth::v1::Session session;
  session.set_id(options.recording);
  Printer printer(context.is_json());
  if (Result<void> searched = here->run(**source, session, printer); !searched) return fail(searched);
  return printer.exit_code();
}

//   here  none: no identity was given
Result<void> print_found(const Context& context, const Found& found, const Options& options,
                         const std::optional<SearchHere>& here, Printer& printer) {
  for (const Line& line : found.lines()) {
    if (Result<void> printed = printer.print(found.session(), line); !printed) return printed;
  }
  if (found.error().empty()) return {};
  const std::string& id = found.session().id();
  if (!found.is_unreadable() || !here) {
    printer.could_not("session " + id,
                      found.error() + (found.is_unreadable() ? "; --identity FILE searches it here" : ""));
    return {};
  }
  const Result<std::unique_ptr<RecordingSource>> source =
      open_recording(context, id, {.purpose = "search"}, options.identity);
  if (source) return here->run(**source, found.session(), printer);
  printer.could_not("session " + id, source.error().message);
  return {};
}

Result<auth::v1::SearchRecordingsRequest> request_of(const Context& context, const Options& options) {
  auth::v1::SearchRecordingsRequest request;
  request.set_pattern(options.pattern);
  request.set_ignore_case(options.ignores_case);
  for (const derived::v1::Source source : sources_of(options)) request.add_sources(source);
  request.set_session_id(options.recording);
  request.set_user(options.user);
  request.set_node(options.node);
  if (!options.since.empty()) {
    const Result<int64_t> since = parse_time_point(options.since, context.clock.wall_s());
    if (!since) return fail(since, "--since");
    request.set_since_wall_s(*since);
  }
  return request;
}

Result<int> grep(const Context& context, const Options& options) {
  if (!options.recording.empty() && names_a_file(options.recording)) return grep_file(context, options);
  Result<auth::v1::SearchRecordingsRequest> wanted = request_of(context, options);
  if (!wanted) return fail(wanted);
  Result<AuthSession> auth = open_auth(context);
  if (!auth) return fail(auth);
  std::optional<SearchHere> here;
  if (!options.identity.empty()) {
    Result<SearchHere> made = SearchHere::make(context, options);
    if (!made) return fail(made);
    here.emplace(std::move(*made));
  }
  Printer printer(context.is_json());
  do {
    auth::v1::Request request;
    *request.mutable_search_recordings() = *wanted;
    const Result<auth::v1::Response> response = auth->call(std::move(request), auth::v1::Response::kSearchRecordings);
    if (!response) return fail(response);
    printer.searched(response->search_recordings().searched());
    for (const Found& found : response->search_recordings().found()) {
      if (Result<void> printed = print_found(context, found, options, here, printer); !printed) return fail(printed);
    }
    wanted->set_page_token(response->search_recordings().next_page_token());
  } while (!wanted->page_token().empty());
  return printer.exit_code();
}

}  // namespace

void add_grep_verb(CLI::App& recordings, Command& command) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = add_verb(recordings, "grep",
                            "Search what was visible on the screen of recorded sessions, live ones too, newest first",
                            "cairn recordings grep 'password:'\n"
                            "cairn recordings grep -i 'error|failed' --user=alice --since=7d\n"
                            "cairn recordings grep '/etc/shadow' --in=files --in=commands\n"
                            "cairn recordings grep 'panic' 7c1e\n"
                            "cairn recordings grep 'panic' copied.rec --identity=auditor.key\n"
                            "\n"
                            "Each line stands with its time, as \"cairn play --from\" takes it, and with the command "
                            "that was running.\n"
                            "Exit status 0: found; 5: not found; 3: not all could be searched, and standard error says "
                            "why.");
  verb->add_option("REGEX", options->pattern, "RE2 (github.com/google/re2/wiki/Syntax), of one line")->required();
  verb->add_option("SESSION", options->recording,
                   "one alone: a session's UUID, at least 4 characters of its beginning, or a file");
  verb->add_flag("-i,--ignore-case", options->ignores_case, "A and a are the same");
  verb->add_option("--user", options->user, "sessions of this person");
  verb->add_option("--node", options->node, "sessions on this node: name or UUID");
  verb->add_option("--since", options->since, "sessions that began since: 90m, 7d, 2026-11-20, 2026-11-20T22:25:06Z");
  verb->add_option("--in", options->sources,
                   "output: what was on the screen; commands, files, network: what the kernel saw; repeatable")
      ->check(CLI::IsMember({"output", "commands", "files", "network"}))
      ->capture_default_str();
  add_identity(verb, options->identity);
  add_format(verb, command);
  verb->callback(
      [&command, options] { command.run = [&command, options] { return grep(command.context, *options); }; });
}

}  // namespace cairn::cli
