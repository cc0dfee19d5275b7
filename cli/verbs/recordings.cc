#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "base/file.h"
#include "base/unique_fd.h"
#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/print/plain_text.h"
#include "cli/print/table.h"
#include "cli/verbs/ask.h"
#include "cli/verbs/list_sessions.h"
#include "cli/verbs/open_recording.h"
#include "cli/verbs/verbs.h"

namespace cairn::cli {
namespace {

std::string by_and_why(std::string_view by, std::string_view reason) { return fmt::format("by {} ({})", by, reason); }

// What is to become of it, or has.
std::string kept_text(const auth::v1::Session& session) {
  if (session.has_deletion()) {
    const auth::v1::Deletion& deletion = session.deletion();
    const std::string by = deletion.rule().empty() ? deletion.by() : "retention rule " + deletion.rule();
    return fmt::format("deleted {} {}", format_utc(deletion.wall_s()), by_and_why(by, deletion.reason()));
  }
  if (session.has_hold()) {
    return fmt::format("held since {} {}", format_utc(session.hold().since_wall_s()),
                       by_and_why(session.hold().by(), session.hold().reason()));
  }
  if (session.keep_until_wall_s() == 0) return "";
  return session.keep_until_wall_s() < 0 ? "forever" : "until " + format_utc(session.keep_until_wall_s());
}

std::string state_text(const auth::v1::Session& session) {
  if (session.has_deletion()) return "deleted";
  return session.recording_complete() ? session.end_reason() : "live";
}

Result<int> list(const Context& context, const SessionQuery& query) {
  Result<std::vector<auth::v1::Session>> sessions = list_sessions(context, query);
  if (!sessions) return fail(sessions);
  std::erase_if(*sessions, [](const auth::v1::Session& session) { return session.recording_chunks() == 0; });
  if (context.is_json()) {
    if (const Result<void> printed = print_json(to_json_array(*sessions)); !printed) return fail(printed);
    return kExitOk;
  }
  Table table({"SESSION", "RECORDING", "SIZE", "CHUNKS", "USER", "NODE", "START", "KEPT"});
  for (const auth::v1::Session& session : *sessions) {
    table.add({session.id(), state_text(session), format_bytes(session.recording_bytes()),
               std::to_string(session.recording_chunks()), session.user(), session.node_name(),
               format_utc(session.start_wall_s()), kept_text(session)});
  }
  if (const Result<void> printed = print_text(table.text()); !printed) return fail(printed);
  return kExitOk;
}

// The bytes as auth holds them, encrypted as they are, and the proof behind them.
Result<int> download(const Context& context, const std::string& name, const std::string& file) {
  Result<std::unique_ptr<RecordingSource>> source = open_recording(context, name, {.purpose = "download"});
  if (!source) return fail(source);
  const std::filesystem::path path(file);
  UniqueFd out(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!out) return fail_errno(fmt::format("create {}", path.string()));
  uint64_t offset = 0;
  for (;;) {
    const Result<RecordingSource::Piece> piece =
        (*source)->read({.offset = offset}, RecordingSource::kMaxPieceBytes, std::chrono::milliseconds(0));
    if (!piece) return fail(piece);
    if (piece->bytes.empty()) {
      if (piece->is_live) print_warning((*source)->name() + " is still live; this was what is sealed so far");
      break;
    }
    if (Result<void> written = write_all(out.get(), piece->bytes); !written) return fail(written, path.string());
    offset += piece->bytes.size();
  }
  if (::fsync(out.get()) != 0) return fail_errno(fmt::format("sync {}", path.string()));
  std::string written = fmt::format("{}: {}\n", path.string(), format_bytes(offset));
  if (const std::string later = (*source)->later_keys(); !later.empty()) {
    const std::filesystem::path keys = path.string() + ".keys";
    if (Result<void> kept = write_file_atomically(keys, later, 0600); !kept) return fail(kept);
    written += fmt::format("{}: its key for recipients that came later\n", keys.string());
  }
  if (Result<void> printed = print_text(written); !printed) return fail(printed);
  return kExitOk;
}

Result<int> print_trust(const Context& context) {
  auth::v1::Request request;
  request.mutable_read_trust();
  const Result<auth::v1::Response> response = ask(context, std::move(request), auth::v1::Response::kReadTrust);
  if (!response) return fail(response);
  const auth::v1::ReadTrustResponse& trust = response->read_trust();
  if (const Result<void> printed = print_text(trust.authorities() + trust.revocations()); !printed)
    return fail(printed);
  return kExitOk;
}

}  // namespace

void add_recording_verbs(CLI::App& app, Command& command) {
  CLI::App* recordings =
      add_verb(app, "recordings", "List, fetch, verify, hold and delete recordings", "cairn recordings ls");
  recordings->require_subcommand(1);
  auto query = std::make_shared<SessionQuery>();
  CLI::App* ls = add_verb(*recordings, "ls", "List the recordings that auth holds, newest first",
                          "cairn recordings ls\ncairn recordings ls --user=alice --format=json");
  add_session_options(ls, *query);
  add_format(ls, command);
  ls->callback([&command, query] { command.run = [&command, query] { return list(command.context, *query); }; });

  add_recording_fate_verbs(*recordings, command);
  add_verify_verb(*recordings, command);
  add_export_verb(*recordings, command);
  add_grep_verb(*recordings, command);
  add_bundle_verb(*recordings, command);

  auto name = std::make_shared<std::string>();
  auto file = std::make_shared<std::string>();
  CLI::App* get = add_verb(*recordings, "download",
                           "Fetch a recording as it is stored, with its proof behind it; in FILE.keys its key for "
                           "recipients that came later",
                           "cairn recordings download 7c1e -o session.rec");
  get->add_option("SESSION", *name, "a session's UUID, or at least 4 characters of its beginning")->required();
  get->add_option("-o,--output", *file, "file to create")->required();
  get->callback([&command, name, file] {
    command.run = [&command, name, file] { return download(command.context, *name, *file); };
  });

  CLI::App* trust =
      add_verb(*recordings, "trust",
               "Print what verifying needs where the cluster cannot be reached: its authority's certificate "
               "and what it has revoked, as PEM",
               "cairn recordings trust > cluster.pem");
  trust->callback([&command] { command.run = [&command] { return print_trust(command.context); }; });
}

}  // namespace cairn::cli
