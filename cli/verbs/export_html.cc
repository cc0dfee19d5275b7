#include "cli/verbs/export_html.h"

#include <vector>

#include <fmt/format.h>

#include "cli/print/json.h"
#include "cli/print/plain_text.h"
#include "cli/verbs/verdict.h"
#include "recorder/html/page_process.h"
#include "web/page.h"

namespace cairn::cli {
namespace {

using Json = nlohmann::ordered_json;
using recorder::Integrity;
using recorder::Summary;
using recorder::Verification;

constexpr int64_t kNsPerS = 1'000'000'000;

std::string utc(uint64_t wall_s) { return format_utc(static_cast<int64_t>(wall_s)); }

Json check(std::string_view state, std::string text) { return {{"state", state}, {"text", std::move(text)}}; }
Json fact(std::string_view label, std::string value) { return Json::array({label, std::move(value)}); }

// ---- what was verified

Json signature_check(const Verification& integrity) {
  const std::string covered = fmt::format(
      "{} of {} chunks are signed by the session's own key, which the cluster's authority certified for this "
      "session on node {} (certificate {})",
      integrity.session_signed_chunks, integrity.chunks, integrity.node, integrity.certificate_serial);
  return check(integrity.session_signed_chunks == integrity.chunks ? "ok" : "unknown", covered);
}

Json integrity_checks(const Verification& integrity) {
  Json checks = Json::array();
  const bool is_intact = integrity.integrity == Integrity::kIntact;
  const bool is_unproved = integrity.integrity == Integrity::kUnproved;
  checks.push_back(check(is_intact     ? "ok"
                         : is_unproved ? "unknown"
                                       : "bad",
                         integrity.finding.empty() ? "every chunk is what was signed" : integrity.finding));
  if (!integrity.certificate_serial.empty()) checks.push_back(signature_check(integrity));
  if (integrity.cosigned_wall_s) {
    checks.push_back(check("ok", fmt::format("auth had seen and cosigned the session's last signature at {}",
                                             utc(*integrity.cosigned_wall_s))));
  }
  if (integrity.sealed_wall_s) {
    checks.push_back(check(
        "ok", fmt::format("auth sealed the whole at {}; root {}", utc(*integrity.sealed_wall_s), integrity.root)));
  }
  if (integrity.timestamp_wall_s) {
    checks.push_back(
        check(integrity.is_timestamp_checked ? "ok" : "unknown",
              fmt::format("a timestamp authority had seen the seal at {}{}", format_utc(*integrity.timestamp_wall_s),
                          integrity.is_timestamp_checked ? "" : "; its signature was not checked here")));
  }
  if (integrity.audit) {
    checks.push_back(check(
        "ok", fmt::format("the seal is event {} of {} in the cluster's audit log, signed at {}", integrity.audit->event,
                          integrity.audit->events, utc(integrity.audit->signed_wall_ns / uint64_t{kNsPerS}))));
  } else if (integrity.sealed_wall_s) {
    checks.push_back(check("unknown", "the proof does not show the seal in the cluster's audit log"));
  }
  return checks;
}

Json completeness_check(const Summary& summary) {
  const std::string counts = fmt::format("kernel events: {} issued, {} stored, {} missing", summary.kernel_issued,
                                         summary.kernel_stored, summary.kernel_missing);
  if (summary.is_sequence_complete) return check("ok", counts + "; none is missing");
  if (summary.is_accounted) return check("bad", counts + "; those missing are named in its gaps");
  return check("bad", counts + "; not all are accounted for");
}

struct Word {
  std::string_view state;
  std::string_view badge;
  std::string sentence;
};

Word word_of(const Verdict& verdict) {
  if (verdict.is_live)
    return {.state = "unknown",
            .badge = "still running",
            .sentence = "The session was running; nothing can be verified of it before it has ended."};
  const std::optional<std::string> problem = objection(verdict);
  const Integrity integrity = verdict.integrity.integrity;
  if (integrity == Integrity::kIntact && !problem)
    return {.state = "ok",
            .badge = "verified",
            .sentence = "When this page was made, the recording was intact and complete."};
  if (integrity == Integrity::kIntact)
    return {.state = "unknown",
            .badge = "intact, incomplete",
            .sentence = "What there is, is what was signed; not everything is there: " + *problem};
  if (integrity == Integrity::kUnproved && !problem)
    return {.state = "unknown",
            .badge = "not proved",
            .sentence = "Nothing proves the recording, and nothing contradicts it: " + verdict.integrity.finding};
  return {.state = "bad",
          .badge = recorder::integrity_name(integrity),
          .sentence = "Do not rely on this: " + problem.value_or(verdict.integrity.finding)};
}

Json verdict_json(const Verdict& verdict, const std::string& keys_from) {
  const Word word = word_of(verdict);
  Json checks = integrity_checks(verdict.integrity);
  checks.push_back(completeness_check(verdict.summary));
  for (const std::string& finding : verdict.summary.findings) checks.push_back(check("bad", finding));
  checks.push_back(check(keys_from.empty() ? "bad" : "ok",
                         "public keys believed: " + (keys_from.empty() ? "none were at hand" : keys_from)));
  const std::string& session = verdict.summary.begin.session_id();
  return {{"state", word.state},
          {"word", word.badge},
          {"text", word.sentence},
          {"checks", checks},
          {"how", Json::array({fmt::format("cairn recordings download {0} -o {0}.rec", session),
                               "cairn recordings trust > cluster.pem",
                               fmt::format("cairn recordings verify {}.rec --trust cluster.pem", session)})}};
}

// ---- what must not be overlooked

Json warnings(const Verdict& verdict) {
  const Summary& summary = verdict.summary;
  Json all = Json::array();
  if (verdict.is_live)
    all.push_back("The session was still running when this page was made: this is what there was so far.");
  if (verdict.broken) all.push_back("The recording breaks off: " + verdict.broken->message);
  if (!verdict.is_live && verdict.integrity.integrity != Integrity::kIntact)
    all.push_back(fmt::format("The recording was not verified ({}): {}",
                              recorder::integrity_name(verdict.integrity.integrity), verdict.integrity.finding));
  if (summary.gaps > 0) {
    all.push_back(
        fmt::format("The recording has {} gap{}: {} kernel events, {} of output and {} other events are missing.",
                    summary.gaps, summary.gaps == 1 ? "" : "s", summary.kernel_missing,
                    format_bytes(summary.missing_output_bytes), summary.missing_other_events));
  } else if (!verdict.is_live && !summary.is_accounted) {
    all.push_back("Not all kernel events are accounted for.");
  }
  if (summary.end && summary.end->reason() == recording::v1::END_REASON_INTERRUPTED)
    all.push_back("The session's recorder died: up to a second of its output may be missing without a count.");
  if (summary.begin.capture_tier().empty()) all.push_back("Kernel events were not recorded in this session.");
  if (summary.unknown_events > 0)
    all.push_back(fmt::format("{} events are of kinds that this program does not know.", summary.unknown_events));
  return all;
}

// ---- facts

std::string ending(const Verdict& verdict) {
  if (verdict.is_live) return "not yet";
  if (!verdict.summary.end) return "not in the recording";
  const recorder::End& end = *verdict.summary.end;
  const std::string exit = !end.has_exit()             ? "exit status not known"
                           : end.exit_signal().empty() ? fmt::format("exit status {}", end.exit_status())
                                                       : "killed by SIG" + end.exit_signal();
  switch (end.reason()) {
    case recording::v1::END_REASON_COMPLETE: return exit;
    case recording::v1::END_REASON_LIMIT: return exit + "; processes may have lived on after the recording's limit";
    default: return exit + "; interrupted";
  }
}

Json facts(const Verdict& verdict, const std::string& source) {
  const Summary& summary = verdict.summary;
  const recorder::Begin& begin = summary.begin;
  const recorder::Totals& totals = summary.totals;
  const int64_t begin_s = begin.wall_ns() / kNsPerS;
  const auto lasted_s = static_cast<int64_t>((summary.last_boot_ns - summary.first_boot_ns) / uint64_t{kNsPerS});
  const Json who =
      Json::array({fact("User", begin.user()), fact("Login", begin.login()), fact("From", begin.client_address()),
                   fact("Node", fmt::format("{} ({})", begin.node_name(), begin.node_id())),
                   fact("Cluster", begin.cluster()), fact("Session", begin.session_id())});
  const Json when = Json::array({fact("Began", format_utc(begin_s)),
                                 fact("Ended", verdict.is_live ? "not yet" : format_utc(begin_s + lasted_s)),
                                 fact("Lasted", format_span(lasted_s)), fact("How it ended", ending(verdict))});
  const Json what = Json::array(
      {fact("Programs", std::to_string(totals.execs)), fact("Files opened", std::to_string(totals.opens)),
       fact("Files changed", std::to_string(totals.changes)), fact("Connections", std::to_string(totals.connects)),
       fact("Sockets", std::to_string(totals.sockets)), fact("Tamper events", std::to_string(totals.tampers)),
       fact("Terminal output", format_bytes(totals.output_bytes)), fact("Gaps", std::to_string(summary.gaps))});
  const Json how = Json::array(
      {fact("Recording", fmt::format("{}, {} in {} chunks", source, format_bytes(summary.bytes), summary.chunks)),
       fact("Kernel", begin.kernel()), fact("Capture tier", begin.capture_tier()), fact("Policy", begin.policy()),
       fact("Agent", begin.agent_version())});
  return Json::array({{{"title", "Who and where"}, {"rows", who}},
                      {{"title", "When"}, {"rows", when}},
                      {{"title", "What"}, {"rows", what}},
                      {{"title", "How it was recorded"}, {"rows", how}}});
}

std::string about(const Context& context, const Verdict& verdict, const std::string& source,
                  const std::string& keys_from) {
  const recorder::Begin& begin = verdict.summary.begin;
  return json_line(
      {{"title", fmt::format("{} as {} on {}", begin.user(), begin.login(), begin.node_name())},
       {"began", format_utc(begin.wall_ns() / kNsPerS)},
       {"verdict", verdict_json(verdict, keys_from)},
       {"warnings", warnings(verdict)},
       {"facts", facts(verdict, source)},
       {"made", fmt::format("Made by cairn {} at {}.", CAIRN_VERSION, format_utc(context.clock.wall_s()))}});
}

}  // namespace

Result<std::string> html_of(const Context& context, RecordingSource& source, const std::string& trust,
                            std::optional<uint32_t> channel) {
  const Result<Believed> believed = trust_of(context, trust);
  if (!believed) return fail(believed);
  Result<recorder::PageProcess> page = recorder::PageProcess::start({.channel = channel});
  if (!page) return fail(page, "the sandbox");
  const Result<Verdict> verdict =
      read_whole(source, believed->trust, [&page](const recorder::Event& event) { return page->add(event); });
  if (!verdict) return fail(verdict);
  if (verdict->is_locked)
    return fail(Errc::kDenied, source.name() +
                                   " is encrypted, and no key for it is at hand; give the file of an "
                                   "identity that may read it: --identity FILE");
  const Result<recorder::PageParts> parts = page->finish();
  if (!parts) return fail(parts);
  return recorder::assemble_page(web::recording_page(), about(context, *verdict, source.name(), believed->origin),
                                 *parts);
}

}  // namespace cairn::cli
