#include <memory>

#include <fmt/format.h>

#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/verbs/ask.h"
#include "cli/verbs/verbs.h"

namespace cairn::cli {
namespace {

using auth::v1::RewrapRecordingsResponse;

// Auth looks at every recording.
constexpr std::chrono::minutes kDropLimit{30};

Result<int> rotate(const Context& context) {
  auth::v1::Request request;
  request.mutable_rotate_recording_key();
  const auto response = ask(context, std::move(request), auth::v1::Response::kRotateRecordingKey);
  if (!response) return fail(response);
  const auth::v1::RotateRecordingKeyResponse& answer = response->rotate_recording_key();
  const Result<void> printed =
      context.is_json()
          ? print_json(to_json(answer))
          : print_text(fmt::format("Sessions from now on are encrypted to {}\n"
                                   "{} old keys are kept for reading; \"cairn keys rewrap\" gives what is "
                                   "there to the new one\n",
                                   answer.recipient(), answer.old_keys()));
  if (!printed) return fail(printed);
  return kExitOk;
}

// Batch by batch, until all have been looked at.
Result<RewrapRecordingsResponse> rewrap_all(AuthSession& auth) {
  RewrapRecordingsResponse total;
  for (std::string after;;) {
    auth::v1::Request request;
    request.mutable_rewrap_recordings()->set_after_session_id(after);
    const auto response = auth.call(std::move(request), auth::v1::Response::kRewrapRecordings);
    if (!response) return fail(response);
    const RewrapRecordingsResponse& batch = response->rewrap_recordings();
    total.set_wrapped(total.wrapped() + batch.wrapped());
    total.set_unchanged(total.unchanged() + batch.unchanged());
    total.set_locked(total.locked() + batch.locked());
    total.set_failed(total.failed() + batch.failed());
    if (batch.last_session_id().empty()) return total;
    after = batch.last_session_id();
  }
}

Result<int> rewrap(const Context& context) {
  Result<AuthSession> auth = open_auth(context);
  if (!auth) return fail(auth);
  const Result<RewrapRecordingsResponse> total = rewrap_all(*auth);
  if (!total) return fail(total);
  const Result<void> printed =
      context.is_json()
          ? print_json(to_json(*total))
          : print_text(fmt::format("{} recordings given to the recipients of now, {} were theirs already or are not "
                                   "encrypted\n",
                                   total->wrapped(), total->unchanged()));
  if (!printed) return fail(printed);
  if (total->locked() > 0)
    print_warning(
        fmt::format("{} recordings are encrypted to others than auth: it can give them to nobody", total->locked()));
  if (total->failed() == 0) return kExitOk;
  print_warning(
      fmt::format("{} recordings could not be read; auth's log names them (recording.unwrapped)", total->failed()));
  return kExitIncomplete;
}

Result<int> drop(const Context& context) {
  Result<AuthSession> auth = open_auth(context);
  if (!auth) return fail(auth);
  auth::v1::Request request;
  request.mutable_drop_recording_keys();
  const auto response = auth->call(std::move(request), auth::v1::Response::kDropRecordingKeys, kDropLimit);
  if (!response) return fail(response);
  const auth::v1::DropRecordingKeysResponse& answer = response->drop_recording_keys();
  const Result<void> printed = context.is_json() ? print_json(to_json(answer))
                                                 : print_text(fmt::format("Forgot {} old keys\n", answer.dropped()));
  if (!printed) return fail(printed);
  return kExitOk;
}

void add(CLI::App& keys, Command& command, const char* name, const char* sentence, const char* example,
         Result<int> (*run)(const Context&)) {
  CLI::App* verb = add_verb(keys, name, sentence, example);
  add_format(verb, command);
  verb->callback([&command, run] { command.run = [&command, run] { return run(command.context); }; });
}

}  // namespace

void add_key_verbs(CLI::App& app, Command& command) {
  CLI::App* keys = add_verb(app, "keys", "Replace the keys that recordings are encrypted to", "cairn keys rotate");
  keys->require_subcommand(1);
  add(*keys, command, "rotate",
      "Make a new key of the cluster, for recordings from now on; old ones are kept for reading", "cairn keys rotate",
      rotate);
  add(*keys, command, "rewrap",
      "Give every recording that auth can read to the recipients of now: a new key of the cluster, an auditor who came "
      "later. The recordings stay as they are",
      "cairn keys rewrap", rewrap);
  add(*keys, command, "drop", "Forget the cluster's old keys; refused while a recording needs one", "cairn keys drop",
      drop);
}

}  // namespace cairn::cli
