#include "cli/verbs/verdict.h"

#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "cli/print/exit_code.h"
#include "cli/verbs/ask.h"
#include "tunnel/identity.h"

namespace cairn::cli {
namespace {

using recorder::Summary;

constexpr size_t kMaxTrustBytes = 4 << 20;

}  // namespace

Result<Verdict> read_whole(RecordingSource& source, const recorder::Trust& trust, const EventUse& use) {
  Verdict verdict;
  recorder::Verifier verifier;
  recorder::SummaryBuilder counted;
  recorder::RecordingDecoder decoder([&source](const recorder::Opening& opening) { return source.unlock(opening); });
  for (ReadPlace place;;) {
    const Result<RecordingSource::Piece> piece =
        source.read(place, RecordingSource::kMaxPieceBytes, std::chrono::milliseconds(0));
    if (!piece) return fail(piece);
    verdict.is_live = piece->is_live;
    if (piece->bytes.empty() && piece->tail.empty()) break;
    place.offset += piece->bytes.size();
    if (std::exchange(place.tail_chunk, piece->tail_chunk) != piece->tail_chunk) place.tail_bytes = 0;
    place.tail_bytes += piece->tail.size();
    verifier.feed(piece->bytes);
    decoder.feed(piece->bytes);
    decoder.feed_pieces(piece->tail_chunk, piece->tail);
    for (;;) {
      const Result<std::optional<recorder::Event>> next = decoder.next();
      if (!next && next.error().code == Errc::kDenied) verdict.is_locked = true;
      if (!next) break;
      const std::optional<recorder::Event>& event = *next;
      if (!event) break;
      counted.add(*event);
      if (Result<void> used = use ? use(*event) : Result<void>(); !used) return fail(used);
    }
  }
  const Result<void> end = decoder.finish();
  if (!end && !verdict.is_locked && !verdict.is_live) verdict.broken = end.error();
  verdict.summary = counted.finish(decoder);
  verdict.integrity = verifier.finish(trust);
  return verdict;
}

std::optional<std::string> objection(const Verdict& verdict) {
  const recorder::Verification& integrity = verdict.integrity;
  if (verdict.is_live) return "the session is still live; verify it again when it has ended";
  const bool is_cut = integrity.integrity == recorder::Integrity::kTruncated;
  if (is_cut && verdict.broken) return verdict.broken->message;
  if (integrity.integrity != recorder::Integrity::kIntact && integrity.integrity != recorder::Integrity::kUnproved) {
    return fmt::format("the recording was tampered with or damaged ({}): {}",
                       recorder::integrity_name(integrity.integrity), integrity.finding);
  }
  if (verdict.broken) return verdict.broken->message;
  if (verdict.is_locked) return std::nullopt;
  const Summary& summary = verdict.summary;
  if (!summary.findings.empty()) return "the recording contradicts itself: " + summary.findings.front();
  if (!summary.is_sequence_complete || summary.missing_output_bytes > 0 || summary.missing_other_events > 0)
    return "the recording is incomplete: events are missing; \"cairn play --events=only\" shows where";
  return std::nullopt;
}

Result<Believed> trust_of(const Context& context, const std::string& file, const std::string& timestamp_authorities) {
  Believed believed;
  recorder::Trust& trust = believed.trust;
  if (!timestamp_authorities.empty()) {
    Result<std::string> pem = read_file(timestamp_authorities, kMaxTrustBytes);
    if (!pem) return fail(pem);
    trust.timestamp_authorities_pem = std::move(*pem);
  }
  if (!file.empty()) {
    Result<std::string> pem = read_file(file, kMaxTrustBytes);
    if (!pem) return fail(pem);
    trust.authorities_pem = trust.revocations_pem = std::move(*pem);
    believed.origin = "the file " + file;
    return believed;
  }
  auth::v1::Request request;
  request.mutable_read_trust();
  const Result<auth::v1::Response> response = ask(context, std::move(request), auth::v1::Response::kReadTrust);
  if (response) {
    trust.authorities_pem = response->read_trust().authorities();
    trust.revocations_pem = response->read_trust().revocations();
    believed.origin = "the cluster's auth service, asked when this was made";
    return believed;
  }
  const Result<Home> home = context.home();
  const Result<tunnel::Identity> identity = home ? tunnel::load_identity(home->root()) : fail(home);
  if (identity) trust.authorities_pem = identity->authorities.host_ca();
  if (identity) believed.origin = "an earlier login; what was revoked since then is not known";
  if (!identity) {
    print_warning(
        "there is nobody to believe: give the cluster's public keys with --trust FILE (\"cairn recordings "
        "trust\" prints them)");
  }
  return believed;
}

}  // namespace cairn::cli
