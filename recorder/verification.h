#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recorder/chunk.h"
#include "recorder/proof/audit_inclusion.h"
#include "recorder/proof/certificate.h"
#include "recorder/proof/checkpoint.h"

namespace cairn::recorder {

// What was done to a recording, if anything.
enum class Integrity {
  kIntact,     // every chunk is what was signed
  kUnproved,   // nothing contradicts it, and nothing proves it: it is not signed, or its proof is not at hand
  kTruncated,  // chunks are missing at its end
  kAltered,    // a chunk is not what it was
  kRemoved,    // a chunk is missing before others
  kReordered,  // chunks stand in another order
  kSpliced,    // a chunk was never part of it: of another session, or added
  kForged,     // its signatures are not by whom they must be, or do not fit one another
  kRevoked,    // signed with a certificate that was taken back: its node was not to be trusted any more
};
std::string_view integrity_name(Integrity integrity);  // "intact", "altered", …

struct Verification {
  Integrity integrity = Integrity::kUnproved;
  std::string finding;                 // a sentence; empty when it is intact
  std::optional<uint64_t> bad_chunk;   // the first
  std::optional<uint64_t> bad_offset;  // where it lies, or should
  uint64_t chunks = 0;                 // found
  uint64_t session_signed_chunks = 0;  // covered by the session's own key
  std::string session;                 // UUID, as chunk 0 says
  std::string node;                    // UUID, as the certificate says
  std::string certificate_serial;
  uint64_t signed_wall_ns = 0;              // the session's last signature, by the node's clock
  std::optional<uint64_t> cosigned_wall_s;  // when auth had seen it
  std::optional<uint64_t> sealed_wall_s;    // when auth had seen the whole
  std::string root;                         // hexadecimal, of all chunks, as sealed
  std::optional<int64_t> timestamp_wall_s;  // when a timestamp authority had seen the seal
  bool is_timestamp_checked = false;        // it is signed by one that is trusted
  uint64_t archived_chunks = 0;             // whose payloads auth has recompressed
  std::optional<uint64_t> archived_wall_s;  // when it vouched for how they lie now
  std::optional<AuditPlace> audit;          // where the seal stands in the cluster's audit log, when the proof shows it
};

// Checks a recording and the proof behind it without any key but public ones, and without decrypting anything. Of
// chunks that auth has recompressed the headers are what the session has signed, and how they lie is what auth has
// signed; that the two mean the same is shown to whoever has the key (RecordingDecoder). Push
// the bytes in slices of any size; memory goes with the number of chunks, 200 bytes each. One thread at a time.
class Verifier {
 public:
  void feed(std::string_view bytes);
  // The proof where it does not lie behind the recording: the bytes of the chunk that holds it.
  void feed_proof(std::string_view chunk);

  Verification finish(const Trust& trust);

  // Chunk 0 and the proof as they were found, nothing of them checked.
  const std::optional<Opening>& opening() const { return opening_; }
  const std::optional<Proof>& proof() const { return proof_; }

 private:
  struct Found {
    uint64_t offset = 0;
    uint64_t number = 0;
    std::array<unsigned char, 16> session = {};
    std::array<unsigned char, 32> previous = {};
    ChunkType type = ChunkType::kEvents;
    PayloadForm form = PayloadForm::kPlain;
    std::string leaf;    // empty: a checksum is wrong
    std::string stored;  // of a chunk in archive form: the leaf of what lies here
    std::string pieces;  // of a chunk in pieces: its payload
  };
  struct Proved;

  void take_chunks();
  void check_against(const std::vector<std::string>& leaves, Verification& verification) const;
  void check_chain(Verification& verification) const;
  bool is_archived() const;
  static Result<void> prove_archive(const recording::v1::ArchiveSeal& archive, const std::string& origin,
                                    const NoteKey& auth, Proved& proved, Verification& verification);
  void check_archive(const std::vector<std::string>& stored, Verification& verification) const;
  bool is_damaged_before(uint64_t offset) const;
  Result<Proved> prove(const Opening& opening, const Proof& proof, const Trust& trust,
                       Verification& verification) const;
  Result<void> prove_open_part(const Checkpoint::Open& open, bool is_encrypted) const;
  void blame(Verification& verification, Integrity integrity, uint64_t chunk, std::string finding) const;

  std::string buffer_;
  uint64_t offset_ = 0;  // of buffer_
  std::vector<Found> found_;
  std::vector<uint64_t> damage_;  // offsets where no chunk could be read
  std::optional<Opening> opening_;
  std::optional<Closing> closing_;
  std::optional<Proof> proof_;
  bool is_proof_bad_ = false;
};

}  // namespace cairn::recorder
