#include <memory>

#include <fmt/format.h>

#include "cli/verbs/ask.h"
#include "cli/verbs/verbs.h"

namespace cairn::cli {
namespace {

struct Options {
  std::string session;
  std::string reason;
  bool is_early = false;
};

Result<int> hold(const Context& context, const Options& options) {
  auth::v1::Request request;
  request.mutable_hold_recording()->set_session_id(options.session);
  request.mutable_hold_recording()->set_reason(options.reason);
  return ask_for_done(context, std::move(request),
                      fmt::format("Session {} is held: its recording stays until it is released", options.session));
}

Result<int> release(const Context& context, const Options& options) {
  auth::v1::Request request;
  request.mutable_release_recording()->set_session_id(options.session);
  request.mutable_release_recording()->set_reason(options.reason);
  return ask_for_done(context, std::move(request),
                      fmt::format("Session {} is no longer held; retention rules count again", options.session));
}

Result<int> remove(const Context& context, const Options& options) {
  auth::v1::Request request;
  request.mutable_delete_recording()->set_session_id(options.session);
  request.mutable_delete_recording()->set_reason(options.reason);
  request.mutable_delete_recording()->set_early(options.is_early);
  return ask_for_done(
      context, std::move(request),
      fmt::format("Deleted the recording of session {}; the session stays in the list", options.session));
}

using Run = Result<int> (*)(const Context&, const Options&);

CLI::App* add(CLI::App& recordings, Command& command, const std::shared_ptr<Options>& options, const char* name,
              const char* sentence, const char* examples, Run run) {
  CLI::App* verb = add_verb(recordings, name, sentence, examples);
  verb->add_option("SESSION", options->session, "a session's UUID, or at least 4 characters of its beginning")
      ->required();
  verb->add_option("--reason", options->reason, "why; stands in the audit log")->required();
  add_format(verb, command);
  verb->callback(
      [&command, options, run] { command.run = [&command, options, run] { return run(command.context, *options); }; });
  return verb;
}

}  // namespace

void add_recording_fate_verbs(CLI::App& recordings, Command& command) {
  auto options = std::make_shared<Options>();
  add(recordings, command, options, "hold", "Put a legal hold on a recording: nobody and no rule deletes it",
      "cairn recordings hold 7c1e --reason=\"case 2026-17\"", hold);
  add(recordings, command, options, "release", "End the legal hold on a recording",
      "cairn recordings release 7c1e --reason=\"case 2026-17 is closed\"", release);
  CLI::App* rm = add(recordings, command, options, "rm",
                     "Delete a recording; what is left is who, where, when, and who deleted it and why",
                     "cairn recordings rm 7c1e --reason=\"asked for by its subject\"\n"
                     "cairn recordings rm 7c1e --early --reason=\"recorded by mistake\"",
                     remove);
  rm->add_flag("--early", options->is_early, "though a retention rule has promised to keep it for longer");
}

}  // namespace cairn::cli
