#include "recorder/verification.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "recorder/chunk_content.h"
#include "recorder/frame.h"
#include "recorder/proof/merkle.h"
#include "recorder/proof/note.h"
#include "recorder/proof/timestamp.h"
#include "recorder/session_signer.h"

namespace cairn::recorder {
namespace {

constexpr std::string_view kMagic = "CRNR";
constexpr std::string_view kArchiveMagic = "CRNA";

std::string text(const std::array<unsigned char, 32>& hash) { return {hash.begin(), hash.end()}; }

std::vector<std::string> split_leaves(const std::string& joined) {
  std::vector<std::string> leaves;
  for (size_t at = 0; at + kHashBytes <= joined.size(); at += kHashBytes)
    leaves.push_back(joined.substr(at, kHashBytes));
  return leaves;
}

std::string root_of(const std::vector<std::string>& leaves, size_t count) {
  MerkleFrontier tree;
  for (size_t i = 0; i < count; ++i) tree.add(leaves[i]);
  return tree.root();
}

// A checkpoint whose signatures are checked by who asks.
struct ReadNote {
  SignedNote note;
  Checkpoint said;
};

Result<ReadNote> read_checkpoint(const std::string& text, const std::string& origin) {
  Result<SignedNote> note = parse_note(text);
  if (!note) return fail(note);
  Result<Checkpoint> said = parse_checkpoint(note->text);
  if (!said) return fail(said);
  if (said->origin != origin) return fail(Errc::kUnauthenticated, "its signatures speak of another recording");
  return ReadNote{.note = std::move(*note), .said = std::move(*said)};
}

}  // namespace

std::string_view integrity_name(Integrity integrity) {
  switch (integrity) {
    case Integrity::kIntact: return "intact";
    case Integrity::kUnproved: return "unproved";
    case Integrity::kTruncated: return "truncated";
    case Integrity::kAltered: return "altered";
    case Integrity::kRemoved: return "removed";
    case Integrity::kReordered: return "reordered";
    case Integrity::kSpliced: return "spliced";
    case Integrity::kForged: return "forged";
    case Integrity::kRevoked: return "revoked";
  }
  return "unknown";
}

// What the proof has shown to be what was signed.
struct Verifier::Proved {
  std::vector<std::string> leaves;
  std::vector<std::string> stored;  // of a recording in archive form: of what lies here, as auth has signed it
};

void Verifier::feed(std::string_view bytes) {
  buffer_ += bytes;
  take_chunks();
}

void Verifier::feed_proof(std::string_view bytes) {
  const Result<ChunkView> chunk = check_chunk(bytes);
  const Result<Proof> proof = chunk ? read_proof(*chunk) : fail(chunk);
  is_proof_bad_ = !proof;
  if (proof) proof_ = *proof;
}

void Verifier::take_chunks() {
  size_t used = 0;
  for (;;) {
    const std::string_view rest = std::string_view(buffer_).substr(used);
    if (rest.size() < kChunkHeaderBytes) break;
    const Result<ChunkHeader> header = parse_chunk_header(rest);
    if (!header && header.error().code == Errc::kTruncated) break;
    if (!header) {
      damage_.push_back(offset_ + used);
      // On to the next place that looks like a chunk, so that the others can still be told apart.
      const size_t next =
          std::min({rest.find(kMagic, 1), rest.find(kArchiveMagic, 1), rest.size() - (kMagic.size() - 1)});
      used += next;
      continue;
    }
    if (rest.size() < header->size()) break;
    const Result<ChunkView> chunk = check_chunk(rest.substr(0, header->size()));
    used += header->size();
    if (header->type == ChunkType::kProof) {
      feed_proof(rest.substr(0, header->size()));
      continue;
    }
    Found found{.offset = offset_ + used - header->size(),
                .number = header->number,
                .session = header->session,
                .previous = header->previous,
                .type = header->type,
                .form = header->form,
                .leaf = {},
                .stored = {},
                .pieces = {}};
    if (chunk) {
      found.leaf = leaf_hash(*chunk);
      if (header->archived) found.stored = stored_leaf_hash(*chunk);
      if (is_pieces(header->form)) found.pieces = chunk->payload;
      if (header->type == ChunkType::kBegin && !opening_) {
        if (Result<Opening> opening = read_opening(*chunk)) opening_ = std::move(*opening);
      }
      if (header->is_final()) {
        if (Result<Closing> closing = read_closing(*chunk)) closing_ = std::move(*closing);
      }
    }
    found_.push_back(std::move(found));
  }
  buffer_.erase(0, used);
  offset_ += used;
}

void Verifier::blame(Verification& verification, Integrity integrity, uint64_t chunk, std::string finding) const {
  verification.integrity = integrity;
  verification.finding = std::move(finding);
  verification.bad_chunk = chunk;
  verification.bad_offset = chunk < found_.size() ? found_[chunk].offset : offset_;
}

bool Verifier::is_damaged_before(uint64_t offset) const {
  return std::ranges::any_of(damage_, [offset](uint64_t at) { return at < offset; });
}

// The first chunk that is not what was signed, and what became of it.
void Verifier::check_against(const std::vector<std::string>& leaves, Verification& verification) const {
  std::map<std::string, uint64_t> place;  // of each signed leaf
  for (uint64_t i = 0; i < leaves.size(); ++i) place.emplace(leaves[i], i);
  std::map<std::string, uint64_t> stands;  // where each is found
  for (uint64_t i = 0; i < found_.size(); ++i) stands.emplace(found_[i].leaf, i);
  for (uint64_t i = 0; i < leaves.size(); ++i) {
    if (i < found_.size() && found_[i].leaf == leaves[i]) continue;
    const bool is_elsewhere = stands.contains(leaves[i]);
    if (i >= found_.size()) {
      // All that is left is missing or unreadable.
      if (!damage_.empty() || (!buffer_.empty() && buffer_.size() >= kMaxHeaderBytes && !parse_chunk_header(buffer_))) {
        return blame(verification, Integrity::kAltered, i, fmt::format("chunk {} cannot be read", i));
      }
      return blame(verification, Integrity::kTruncated, i,
                   fmt::format("it ends after {} of {} chunks", i, leaves.size()));
    }
    const Found& here = found_[i];
    if (opening_ && here.session != uuid_bytes(opening_->begin().begin().session_id())) {
      return blame(verification, Integrity::kSpliced, i,
                   fmt::format("in place of chunk {} stands one of session {}", i, uuid_text(here.session)));
    }
    const auto own_place = place.find(here.leaf);
    if (own_place != place.end() && !is_elsewhere) {
      return is_damaged_before(here.offset)
                 ? blame(verification, Integrity::kAltered, i, fmt::format("chunk {} cannot be read", i))
                 : blame(verification, Integrity::kRemoved, i,
                         fmt::format("chunk {} is missing; chunk {} follows in its place", i, own_place->second));
    }
    if (own_place != place.end()) {
      return blame(verification, Integrity::kReordered, i,
                   fmt::format("chunk {} stands in the place of chunk {}", own_place->second, i));
    }
    if (is_elsewhere) {
      return blame(verification, Integrity::kSpliced, i,
                   fmt::format("a chunk that was never signed stands in the place of chunk {}", i));
    }
    return blame(verification, Integrity::kAltered, i, fmt::format("chunk {} is not what was signed", i));
  }
  if (found_.size() > leaves.size()) {
    return blame(verification, Integrity::kSpliced, leaves.size(), "chunks that were never signed follow its end");
  }
  if (!damage_.empty() || !buffer_.empty()) {
    return blame(verification, Integrity::kSpliced, leaves.size(), "bytes that are no chunk stand in it or follow it");
  }
  verification.integrity = Integrity::kIntact;
}

bool Verifier::is_archived() const {
  return std::ranges::any_of(found_, [](const Found& each) { return !each.stored.empty(); });
}

// Auth's word on how the chunks lie since it has recompressed them.
Result<void> Verifier::prove_archive(const recording::v1::ArchiveSeal& archive, const std::string& origin,
                                     const NoteKey& auth, Proved& proved, Verification& verification) {
  const Result<ReadNote> seal = read_checkpoint(archive.seal(), archive_origin(origin));
  if (!seal) return fail(seal, "auth's word on the archive form");
  verification.archived_wall_s = cosigned_at(seal->note, auth);
  if (!verification.archived_wall_s)
    return fail(Errc::kUnauthenticated, "auth's word on the archive form is not signed by auth");
  proved.stored = split_leaves(archive.leaves());
  if (seal->said.size != proved.stored.size() || seal->said.root != root_of(proved.stored, proved.stored.size()) ||
      proved.stored.size() != proved.leaves.size())
    return fail(Errc::kUnauthenticated, "the proof's list of archived chunks is not what auth has signed");
  return {};
}

// Of chunks whose headers are what was signed: whether what lies behind them is what auth put there.
void Verifier::check_archive(const std::vector<std::string>& stored, Verification& verification) const {
  for (uint64_t i = 0; i < found_.size(); ++i) {
    if (found_[i].stored.empty()) continue;
    ++verification.archived_chunks;
    if (stored.empty() || found_[i].stored == stored[i]) continue;
    return blame(verification, Integrity::kAltered, i, fmt::format("chunk {} is not what auth had recompressed", i));
  }
  if (verification.archived_chunks == 0 || !stored.empty()) return;
  verification.integrity = Integrity::kUnproved;
  verification.finding = "chunks of it were recompressed, and nobody has signed how they lie now";
}

// Without a proof: whether the chunks fit one another.
void Verifier::check_chain(Verification& verification) const {
  std::string before(kHashBytes, '\0');
  for (uint64_t i = 0; i < found_.size(); ++i) {
    const Found& here = found_[i];
    if (here.leaf.empty())
      return blame(verification, Integrity::kAltered, i, fmt::format("chunk {}: a checksum is wrong", i));
    if (here.session != found_[0].session) {
      return blame(verification, Integrity::kSpliced, i,
                   fmt::format("in place of chunk {} stands one of session {}", i, uuid_text(here.session)));
    }
    if (here.number != i && is_damaged_before(here.offset)) {
      return blame(verification, Integrity::kAltered, i, fmt::format("chunk {} cannot be read", i));
    }
    if (here.number != i) {
      const bool is_later = std::ranges::any_of(found_, [&](const Found& other) { return other.number == i; });
      return blame(verification, is_later ? Integrity::kReordered : Integrity::kRemoved, i,
                   fmt::format("chunk {} stands in the place of chunk {}", here.number, i));
    }
    if (text(here.previous) != before) {
      return blame(verification, Integrity::kAltered, i - std::min<uint64_t>(i, 1),
                   fmt::format("chunk {} does not continue the one before it", i));
    }
    before = here.leaf;
  }
  if (!damage_.empty()) {
    return blame(verification, Integrity::kAltered, found_.size(), "bytes that are no chunk stand in it");
  }
  verification.integrity = Integrity::kUnproved;
  if (!closing_ || !buffer_.empty()) {
    return blame(verification, Integrity::kTruncated, found_.size(),
                 fmt::format("it ends after {} chunks, without its end", found_.size()));
  }
}

// What the session had signed of the chunk that was open when its worker died.
Result<void> Verifier::prove_open_part(const Checkpoint::Open& open, bool is_encrypted) const {
  if (open.chunk >= found_.size()) return {};
  const Found& chunk = found_[open.chunk];
  // Sealed after that signature: other bytes, which the next would have covered.
  const bool is_sealed = !is_pieces(chunk.form) && (chunk.form != PayloadForm::kPlain) == is_encrypted;
  if (chunk.type == ChunkType::kEvents && is_sealed) return {};
  const std::string& pieces = chunk.pieces;
  if (open.bytes <= pieces.size() && sha256(std::string_view(pieces).substr(0, open.bytes)) == open.hash) return {};
  return fail(Errc::kCorrupt, fmt::format("chunk {} is not what the session had signed of it", open.chunk));
}

Result<Verifier::Proved> Verifier::prove(const Opening& opening, const Proof& proof, const Trust& trust,
                                         Verification& verification) const {
  const std::string& session = opening.begin().begin().session_id();
  const std::string origin = recording_origin(opening.begin().begin().cluster(), session);
  Proved proved{.leaves = split_leaves(proof.leaves()), .stored = {}};
  const Result<SignerCertificate> cosigner = check_signer(proof.cosigner(), trust);
  if (!cosigner) return fail(cosigner, "auth's certificate");
  if (!cosigner->uri.ends_with("/log")) return fail(Errc::kUnauthenticated, "it was sealed by somebody else than auth");
  const NoteKey auth{.name = cosigner->common_name, .public_key = cosigner->public_key};

  const Result<ReadNote> seal = read_checkpoint(proof.seal(), origin);
  if (!seal) return fail(seal, "auth's seal");
  verification.sealed_wall_s = cosigned_at(seal->note, auth);
  if (!verification.sealed_wall_s) return fail(Errc::kUnauthenticated, "auth's seal is not signed by auth");
  if (seal->said.size != proved.leaves.size() || seal->said.root != root_of(proved.leaves, proved.leaves.size())) {
    return fail(Errc::kUnauthenticated, "the proof's list of chunks is not what auth has sealed");
  }
  verification.root = to_hex(seal->said.root);
  // Before it is believed about who signs.
  if (proved.leaves.empty() || found_[0].leaf != proved.leaves[0]) {
    return fail(Errc::kCorrupt, "chunk 0 is not what was signed");
  }
  const Result<SignerCertificate> signer = check_signer(opening.certificate(), trust);
  if (!signer) return fail(signer, "the session's certificate");
  verification.node = signer->unit;
  verification.certificate_serial = signer->serial;
  if (signer->common_name != session) {
    return fail(Errc::kUnauthenticated, "its certificate is another session's");
  }
  if (proof.has_audit()) {
    const Result<AuditPlace> place = check_audit_inclusion(proof.audit(), auth, signer->common_name, seal->said.root);
    if (!place) return fail(Errc::kUnauthenticated, "its place in the audit log: " + place.error().message);
    verification.audit = *place;
  }
  if (!proof.timestamp().empty()) {
    const bool is_checked = !trust.timestamp_authorities_pem.empty();
    const Result<int64_t> time = is_checked
                                     ? check_timestamp(proof.timestamp(), proof.seal(), trust.timestamp_authorities_pem)
                                     : read_timestamp(proof.timestamp(), proof.seal());
    if (!time) return fail(Errc::kUnauthenticated, "its timestamp: " + time.error().message);
    verification.timestamp_wall_s = *time;
    verification.is_timestamp_checked = is_checked;
  }
  // A proof that was made for an archive form which a crash took back says nothing about what the node wrote.
  if (proof.has_archive() && is_archived()) {
    Result<void> archived = prove_archive(proof.archive(), origin, auth, proved, verification);
    if (!archived) return fail(archived);
  }
  if (proof.checkpoint().empty()) return proved;

  const Result<ReadNote> last = read_checkpoint(proof.checkpoint(), origin);
  if (!last) return fail(last, "the session's signature");
  if (!is_signed_by(last->note, {.name = origin, .public_key = signer->public_key})) {
    return fail(Errc::kUnauthenticated, "the session's signature is not by its key");
  }
  if (last->said.size > proved.leaves.size() || last->said.root != root_of(proved.leaves, last->said.size)) {
    return fail(Errc::kUnauthenticated, "the session had signed other chunks than auth has sealed");
  }
  verification.session_signed_chunks = last->said.size;
  verification.signed_wall_ns = last->said.wall_ns;
  verification.cosigned_wall_s = cosigned_at(last->note, auth);
  const std::optional<Checkpoint::Open>& open = last->said.open;
  if (!open) return proved;
  if (Result<void> fits = prove_open_part(*open, !opening.sealed_secret().empty()); !fits) {
    verification.bad_chunk = open->chunk;
    return fail(fits);
  }
  return proved;
}

Verification Verifier::finish(const Trust& trust) {
  Verification verification;
  verification.chunks = found_.size();
  if (opening_) verification.session = opening_->begin().begin().session_id();
  if (!opening_ || is_proof_bad_ || !proof_ || opening_->certificate().empty()) {
    check_chain(verification);
    if (verification.integrity == Integrity::kUnproved) {
      verification.finding = is_proof_bad_ ? "its proof is damaged"
                             : !proof_     ? "its proof is not with it; \"cairn recordings download\" gives both"
                                           : "it is not signed";
    }
    if (verification.integrity == Integrity::kUnproved && is_proof_bad_) verification.integrity = Integrity::kAltered;
    return verification;
  }
  const Result<Proved> proved = prove(*opening_, *proof_, trust, verification);
  if (!proved) {
    verification.integrity = proved.error().code == Errc::kExpired   ? Integrity::kRevoked
                             : proved.error().code == Errc::kCorrupt ? Integrity::kAltered
                                                                     : Integrity::kForged;
    verification.finding = proved.error().message;
    if (verification.integrity == Integrity::kAltered) {
      blame(verification, Integrity::kAltered, verification.bad_chunk.value_or(0), verification.finding);
    }
    return verification;
  }
  check_against(proved->leaves, verification);
  if (verification.integrity == Integrity::kIntact) check_archive(proved->stored, verification);
  const bool is_interrupted = closing_ && closing_->end().end().reason() == recording::v1::END_REASON_INTERRUPTED;
  if (verification.integrity == Integrity::kIntact && !is_interrupted &&
      verification.session_signed_chunks < verification.chunks) {
    verification.finding = fmt::format("the session's own signature covers {} of {} chunks; auth vouches for the rest",
                                       verification.session_signed_chunks, verification.chunks);
  }
  return verification;
}

}  // namespace cairn::recorder
