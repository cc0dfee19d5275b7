#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "base/bytes.h"
#include "cli/evidence/tar_file.h"
#include "cli/evidence/texts.h"
#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/print/plain_text.h"
#include "cli/verbs/ask.h"
#include "cli/verbs/open_recording.h"
#include "cli/verbs/verbs.h"
#include "cli/verbs/verdict.h"
#include "recorder/proof/audit_entry.h"
#include "recorder/proof/merkle.h"

namespace cairn::cli {
namespace {

using auth::v1::Request;
using auth::v1::Response;

constexpr int kMaxEvents = 2048;  // whose paths auth gives at once, and so for one root
constexpr uint32_t kEventsAtOnce = 1000;
constexpr uint64_t kNsPerS = 1'000'000'000;

struct BundleOptions {
  std::string recording;
  std::string output;
  std::string trust;
};

// The session's events in the cluster's log.
struct AuditPart {
  std::string events;  // a line each
  std::string paths;   // likewise
  std::string head;
  std::string signer;  // DER
};

// Empty for nothing.
std::string pem_of(std::string_view der) {
  if (der.empty()) return {};
  constexpr size_t kLine = 64;
  const std::string base64 = to_base64(der);
  std::string pem = "-----BEGIN CERTIFICATE-----\n";
  for (size_t at = 0; at < base64.size(); at += kLine) pem += base64.substr(at, kLine) + "\n";
  return pem + "-----END CERTIFICATE-----\n";
}

Result<std::vector<audit::v1::AuditEvent>> events_of(AuthSession& auth, const std::string& session) {
  std::vector<audit::v1::AuditEvent> events;
  std::string page;
  do {
    Request request;
    request.mutable_search_audit()->set_session_id(session);
    request.mutable_search_audit()->set_limit(kEventsAtOnce);
    request.mutable_search_audit()->set_ascending(true);
    request.mutable_search_audit()->set_page_token(page);
    const Result<Response> response = auth.call(std::move(request), Response::kSearchAudit);
    if (!response) return fail(response);
    events.insert(events.end(), response->search_audit().events().begin(), response->search_audit().events().end());
    page = response->search_audit().next_page_token();
  } while (!page.empty() && events.size() < kMaxEvents);
  if (!page.empty() || events.size() > kMaxEvents) {
    print_warning(fmt::format("only the first {} audit events of the session are in the bundle", kMaxEvents));
    events.resize(std::min<size_t>(events.size(), kMaxEvents));
  }
  return events;
}

Result<AuditPart> read_audit(const Context& context, const std::string& session) {
  Result<AuthSession> auth = open_auth(context);
  if (!auth) return fail(auth);
  const Result<std::vector<audit::v1::AuditEvent>> events = events_of(*auth, session);
  if (!events) return fail(events);
  Request request;
  request.mutable_read_audit_tree();
  for (const audit::v1::AuditEvent& event : *events) request.mutable_read_audit_tree()->add_prove(event.leaf());
  const Result<Response> response = auth->call(std::move(request), Response::kReadAuditTree);
  if (!response) return fail(response);
  const auth::v1::ReadAuditTreeResponse& tree = response->read_audit_tree();
  if (tree.paths_size() != static_cast<int>(events->size()))
    return fail(Errc::kInternal, "auth has not shown where the session's events stand in its log");
  AuditPart part{.events = {}, .paths = {}, .head = tree.checkpoint(), .signer = tree.signer()};
  for (int i = 0; i < tree.paths_size(); ++i) {
    const audit::v1::AuditEvent& event = (*events)[static_cast<size_t>(i)];
    nlohmann::ordered_json path = nlohmann::ordered_json::array();
    for (size_t at = 0; at < tree.paths(i).size(); at += recorder::kHashBytes)
      path.push_back(to_hex(std::string_view(tree.paths(i)).substr(at, recorder::kHashBytes)));
    part.events += recorder::audit_entry(event) + "\n";
    part.paths += json_line({{"leaf", event.leaf()}, {"path", path}}) + "\n";
  }
  return part;
}

std::string readme(const recorder::Begin& begin) {
  std::string text(bundle_readme());
  const auto fill = [&text](std::string_view mark, const std::string& value) {
    if (const size_t at = text.find(mark); at != std::string::npos) text.replace(at, mark.size(), value);
  };
  fill("{SESSION}", begin.session_id());
  fill("{WHO}", fmt::format("{} as {} on {}, {}", printable(begin.user()), printable(begin.login()),
                            printable(begin.node_name()), format_utc(begin.wall_ns() / int64_t{kNsPerS})));
  return text;
}

// The session's UUID becomes a folder's name.
Result<recorder::Opening> opening_of(const recorder::Verifier& verifier) {
  const std::optional<recorder::Opening>& opening = verifier.opening();
  if (!opening) return fail(Errc::kCorrupt, "the recording's first chunk cannot be read");
  const recorder::Begin& begin = opening->begin().begin();
  if (!is_uuid(begin.session_id()) || begin.wall_ns() < 0)
    return fail(Errc::kCorrupt, "the recording does not say of which session it is");
  return *opening;
}

struct File {
  std::string_view name;
  std::string contents;
};

Result<void> add_files(TarFile& tar, const std::string& folder, const std::vector<File>& files) {
  for (const File& file : files) {
    if (file.contents.empty()) continue;
    if (Result<void> added = tar.add(fmt::format("{}/{}", folder, file.name), file.contents); !added) return added;
  }
  return {};
}

// The recording into the archive, and through the verifier, from behind `first` on.
Result<void> add_recording(TarFile& tar, RecordingSource& source, std::string_view first,
                           recorder::Verifier& verifier) {
  if (Result<void> written = tar.write(first); !written) return written;
  for (uint64_t offset = first.size();;) {
    const Result<RecordingSource::Piece> piece =
        source.read({.offset = offset}, RecordingSource::kMaxPieceBytes, std::chrono::milliseconds(0));
    if (!piece) return fail(piece);
    if (piece->bytes.empty()) break;
    if (Result<void> written = tar.write(piece->bytes); !written) return written;
    verifier.feed(piece->bytes);
    offset += piece->bytes.size();
  }
  return tar.end();
}

Result<int> bundle(const Context& context, const BundleOptions& options) {
  Result<std::unique_ptr<RecordingSource>> opened =
      open_recording(context, options.recording, {.purpose = "export", .form = "bundle"});
  if (!opened) return fail(opened);
  RecordingSource& source = **opened;
  const Result<Believed> believed = trust_of(context, options.trust);
  if (!believed) return fail(believed);
  const Result<RecordingSource::Piece> first =
      source.read({}, RecordingSource::kMaxPieceBytes, std::chrono::milliseconds(0));
  if (!first) return fail(first);
  if (first->is_live) return fail(Errc::kInvalid, source.name() + " is still live; bundle it when it has ended");
  recorder::Verifier verifier;
  verifier.feed(first->bytes);
  const Result<recorder::Opening> opening = opening_of(verifier);
  if (!opening) return fail(opening, source.name());
  const recorder::Begin& begin = opening->begin().begin();
  const std::string& folder = begin.session_id();

  Result<TarFile> tar = TarFile::create(options.output, static_cast<uint64_t>(begin.wall_ns()) / kNsPerS);
  if (!tar) return fail(tar);
  if (Result<void> begun = tar->begin(folder + "/recording.rec"); !begun) return fail(begun);
  if (Result<void> added = add_recording(*tar, source, first->bytes, verifier); !added) return fail(added);
  const recorder::Verification verified = verifier.finish(believed->trust);
  const recorder::Proof proof = verifier.proof().value_or(recorder::Proof());
  const std::vector<File> files = {{"README.md", readme(begin)},
                                   {"verify_recording.py", std::string(verify_script())},
                                   {"cluster.pem", believed->trust.authorities_pem},
                                   {"revoked.pem", believed->trust.revocations_pem},
                                   {"session.pem", pem_of(opening->certificate())},
                                   {"auth.pem", pem_of(proof.cosigner())},
                                   {"checkpoint.note", proof.checkpoint()},
                                   {"seal.note", proof.seal()},
                                   {"timestamp.tsr", proof.timestamp()}};
  if (Result<void> added = add_files(*tar, folder, files); !added) return fail(added);
  if (const Result<AuditPart> audit = read_audit(context, folder)) {
    const Result<void> added = add_files(*tar, folder,
                                         {{"audit/events.jsonl", audit->events},
                                          {"audit/paths.jsonl", audit->paths},
                                          {"audit/head.note", audit->head},
                                          {"audit/signer.pem", pem_of(audit->signer)}});
    if (!added) return fail(added);
  } else {
    print_warning("the session's audit events are not in the bundle: " + audit.error().message);
  }
  if (Result<void> finished = tar->finish(); !finished) return fail(finished);
  if (Result<void> printed = print_text(fmt::format("{}: {}\n", options.output, format_bytes(tar->bytes()))); !printed)
    return fail(printed);
  if (verified.integrity == recorder::Integrity::kIntact) return kExitOk;
  print_warning(fmt::format("what was bundled is no evidence ({}): {}", recorder::integrity_name(verified.integrity),
                            verified.finding));
  return kExitIncomplete;
}

}  // namespace

void add_bundle_verb(CLI::App& recordings, Command& command) {
  auto options = std::make_shared<BundleOptions>();
  CLI::App* verb = add_verb(recordings, "bundle",
                            "Make an archive that proves a recording to others: it, its signatures, the public keys, "
                            "the session's audit events, and how to verify them without Cairn",
                            "cairn recordings bundle 7c1e -o evidence.tar\n"
                            "tar -xf evidence.tar && less */README.md");
  verb->add_option("SESSION", options->recording, "a session's UUID, at least 4 characters of its beginning, or a file")
      ->required();
  verb->add_option("-o,--output", options->output, "tar archive to create")->required();
  verb->add_option("--trust", options->trust,
                   "file of the cluster's public keys and revocations; without it auth is asked");
  verb->callback(
      [&command, options] { command.run = [&command, options] { return bundle(command.context, *options); }; });
}

}  // namespace cairn::cli
