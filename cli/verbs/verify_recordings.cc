#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/print/plain_text.h"
#include "cli/verbs/open_recording.h"
#include "cli/verbs/verbs.h"
#include "cli/verbs/verdict.h"

namespace cairn::cli {
namespace {

using recorder::Summary;

struct VerifyOptions {
  std::vector<std::string> names;
  std::string identity;
  std::string trust;
  std::string timestamp_authorities;
};

nlohmann::ordered_json integrity_json(const recorder::Verification& integrity) {
  nlohmann::ordered_json object{{"verdict", recorder::integrity_name(integrity.integrity)},
                                {"finding", integrity.finding},
                                {"bad_chunk", nullptr},
                                {"bad_offset", nullptr},
                                {"chunks", integrity.chunks},
                                {"chunks_signed_by_session", integrity.session_signed_chunks},
                                {"node", integrity.node},
                                {"certificate_serial", integrity.certificate_serial},
                                {"signed_wall_ns", integrity.signed_wall_ns},
                                {"cosigned_wall_s", nullptr},
                                {"sealed_wall_s", nullptr},
                                {"root", integrity.root},
                                {"timestamp_wall_s", nullptr},
                                {"timestamp_checked", integrity.is_timestamp_checked},
                                {"archived_chunks", integrity.archived_chunks},
                                {"archived_wall_s", nullptr},
                                {"audit_event", nullptr},
                                {"audit_events", nullptr}};
  if (integrity.bad_chunk) object["bad_chunk"] = *integrity.bad_chunk;
  if (integrity.bad_offset) object["bad_offset"] = *integrity.bad_offset;
  if (integrity.cosigned_wall_s) object["cosigned_wall_s"] = *integrity.cosigned_wall_s;
  if (integrity.archived_wall_s) object["archived_wall_s"] = *integrity.archived_wall_s;
  if (integrity.sealed_wall_s) object["sealed_wall_s"] = *integrity.sealed_wall_s;
  if (integrity.timestamp_wall_s) object["timestamp_wall_s"] = *integrity.timestamp_wall_s;
  if (integrity.audit) {
    object["audit_event"] = integrity.audit->event;
    object["audit_events"] = integrity.audit->events;
  }
  return object;
}

std::string integrity_text(const recorder::Verification& integrity) {
  std::string text = fmt::format("integrity         {}\n", recorder::integrity_name(integrity.integrity));
  if (!integrity.finding.empty()) text += fmt::format("                  {}\n", printable(integrity.finding));
  if (integrity.bad_chunk) {
    text += fmt::format("first bad chunk   {} at offset {}\n", *integrity.bad_chunk, integrity.bad_offset.value_or(0));
  }
  if (integrity.sealed_wall_s) {
    text += fmt::format("signed            {} of {} chunks by the session on node {}; sealed by auth {}\n",
                        integrity.session_signed_chunks, integrity.chunks, printable(integrity.node),
                        format_utc(static_cast<int64_t>(*integrity.sealed_wall_s)));
  }
  if (integrity.timestamp_wall_s) {
    text += fmt::format("timestamp         {}{}\n", format_utc(*integrity.timestamp_wall_s),
                        integrity.is_timestamp_checked
                            ? ", signed by an authority that is trusted"
                            : ", whose signature was not checked: --timestamp-authorities FILE checks it");
  }
  if (integrity.archived_chunks > 0 && integrity.archived_wall_s) {
    text += fmt::format("recompressed      {} chunks by auth {}, which has signed how they lie now\n",
                        integrity.archived_chunks, format_utc(static_cast<int64_t>(*integrity.archived_wall_s)));
  }
  if (integrity.audit) {
    text += fmt::format("in the audit log  event {} of {}, as signed by auth {}\n", integrity.audit->event,
                        integrity.audit->events,
                        format_utc(static_cast<int64_t>(integrity.audit->signed_wall_ns / 1'000'000'000)));
  } else if (integrity.sealed_wall_s) {
    text += "in the audit log  not shown: the proof was taken before auth could show it\n";
  }
  return text;
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
                                {"findings", summary.findings},
                                {"locked", verdict.is_locked},
                                {"integrity", integrity_json(verdict.integrity)}};
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
  if (verdict.is_locked) text += "contents          not looked at: encrypted, and no key is at hand\n";
  text += integrity_text(verdict.integrity);
  for (const std::string& finding : summary.findings) text += fmt::format("contradiction     {}\n", printable(finding));
  return text;
}

Result<int> verify_one(const Context& context, const std::string& name, const VerifyOptions& options,
                       const recorder::Trust& trust) {
  Result<std::unique_ptr<RecordingSource>> source =
      open_recording(context, name, {.purpose = "verify"}, options.identity);
  if (!source) return fail(source);
  const Result<Verdict> verdict = read_whole(**source, trust);
  if (!verdict) return fail(verdict);
  const Result<void> printed =
      context.is_json() ? print_json(verdict_json(*verdict)) : print_text(verdict_text(*verdict));
  if (!printed) return fail(printed);
  const std::optional<std::string> problem = objection(*verdict);
  if (!problem) return kExitOk;
  print_warning((*source)->name() + ": " + *problem);
  return kExitIncomplete;
}

Result<int> verify(const Context& context, const VerifyOptions& options) {
  const Result<Believed> believed = trust_of(context, options.trust, options.timestamp_authorities);
  if (!believed) return fail(believed);
  int worst = kExitOk;
  for (const std::string& name : options.names) {
    const Result<int> verified = verify_one(context, name, options, believed->trust);
    if (!verified && options.names.size() == 1) return verified;
    if (!verified) print_error(verified.error());
    worst = std::max(worst, verified ? *verified : exit_code_of(verified.error()));
  }
  return worst;
}

}  // namespace

void add_verify_verb(CLI::App& recordings, Command& command) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* verb =
      add_verb(recordings, "verify",
               "Say whether recordings are what was signed and hold all that they must: exit 0 if so, 3 if not",
               "cairn recordings verify 7c1e\n"
               "cairn recordings verify *.rec --trust=cluster.pem\n"
               "cairn recordings verify copied.rec --format=json");
  verb->add_option("SESSION", options->names, "sessions' UUIDs, at least 4 characters of their beginnings, or files")
      ->required();
  verb->add_option(
      "--trust", options->trust,
      "file of the cluster's public keys and revocations (cairn recordings trust); without it auth is asked");
  verb->add_option(
      "--timestamp-authorities", options->timestamp_authorities,
      "file of X.509 certificates of timestamp authorities (RFC 3161); without it timestamps are shown and "
      "not checked");
  add_identity(verb, options->identity);
  add_format(verb, command);
  verb->callback(
      [&command, options] { command.run = [&command, options] { return verify(command.context, *options); }; });
}

}  // namespace cairn::cli
