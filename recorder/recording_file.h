#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "recorder/chunk.h"
#include "recorder/chunk_builder.h"
#include "recorder/chunk_index.h"
#include "recorder/proof/merkle.h"
#include "recorder/recording_keys.h"
#include "recorder/session_signer.h"
#include "recorder/spool_file.h"
#include "recorder/tail_file.h"
#include "recorder/totals.h"

namespace cairn::recorder {

// A chunk is sealed when it holds this much: raw, so that one can be read in a moment; compressed, so that one jump
// into a recording reads at most 256 KiB; or when it is this old.
constexpr uint32_t kSealRawBytes = 1024 * 1024;
constexpr size_t kSealFrameBytes = 192 * 1024;
constexpr uint64_t kSealAgeNs = 3'600'000'000'000;

// Whether what is kept of all recordings may grow by `more_bytes` for one that has `held_bytes`: asked when it is begun
// and before each chunk, whose room is then reserved on the disk.
//   fails  kSpoolFull: ask again, there may be room later. Any other error ends the recording
using ClaimRoom = std::function<Result<void>(uint64_t held_bytes, uint64_t more_bytes)>;

// How a recording is written.
struct RecordingOptions {
  uint64_t quota_bytes = UINT64_MAX;               // of the files; sealing alone may pass it
  ClaimRoom claim_room = {};                       // asked besides; none: there is room
  std::unique_ptr<const RecordingKeys> keys = {};  // none: not encrypted
  std::optional<SessionSigner> signer = {};        // none: not signed
  bool commits_each_flush = false;                 // against power loss, too, whatever it costs
  uint32_t seal_raw_bytes = kSealRawBytes;         // smaller for tests that want many chunks
};

// One recording on the disk: chunks in SESSION_UUID.rec, what is not sealed yet in SESSION_UUID.tail. Keeps what the
// final chunk must say: index, totals, and the tree that is signed. One thread at a time; blocks on the disk.
//
// Durable means: in the file when this process dies, and on the disk when commit() has returned.
class RecordingFile {
 public:
  enum class Room {
    kWithinQuota,
    kBeyondQuota,  // for the records without which a recording would lie: gaps and the end
  };

  // Makes `path`, which must not exist, with chunk 0 durable inside and locked.
  static Result<RecordingFile> create(const std::filesystem::path& path, const Event& begin, const ClockAnchor& now,
                                      RecordingOptions options);
  RecordingFile(RecordingFile&&) = default;
  RecordingFile& operator=(RecordingFile&&) = default;

  // True when append() would take events: there is a chunk with room, or one can be begun.
  //   fails  kSpoolFull: the quota would be passed, there is no room besides, or the disk is full. Any other error: the
  //   disk refused
  Result<void> make_room(const ClockAnchor& now, Room room);
  // Takes events, at least one and at most kMaxRawBytes / 2 of them; make_room() must have succeeded.
  //   fails  the disk refused; the events are taken, and on the disk as far as it let them
  Result<void> append(Events events, const KernelPosition& after, const ClockAnchor& now);

  // Puts on the disk what is only in memory, so that kill -9 does not take it.
  //   fails  kSpoolFull: it stays in memory and is tried again
  Result<void> save(const ClockAnchor& now);
  // The same against power loss, and signs it.
  Result<void> commit(const ClockAnchor& now);

  // Seals the open chunk, writes the final one with index and totals, signs all, and releases the lock.
  //   fails  kSpoolFull: call it again; with has_end() what is written is written, and nothing else may follow
  Result<void> finish(Event end, const KernelPosition& position, const ClockAnchor& now);

  void set_quota(uint64_t quota_bytes) { options_.quota_bytes = quota_bytes; }
  // The error that made it read-only, if one did.
  const std::optional<Error>& refusal() const { return refusal_ ? refusal_ : file_.refusal(); }
  uint64_t bytes() const { return file_.bytes(); }  // of whole chunks
  const Totals& totals() const { return totals_; }  // of all events taken
  bool has_open_chunk() const { return builder_ != nullptr; }
  bool has_end() const { return has_end_; }    // the final chunk is in the file
  bool is_dirty() const { return is_dirty_; }  // there is something to commit
  bool commits_each_flush() const { return options_.commits_each_flush; }

 private:
  RecordingFile(SpoolFile file, RecordingOptions options)
      : file_(std::move(file)), tail_(file_.path()), options_(std::move(options)) {}

  ChunkPlace place(const ClockAnchor& now) const;
  Result<void> append_chunk(const std::string& chunk);
  Result<void> begin_sealing(const ClockAnchor& now);
  Result<void> seal_open_chunk();
  Result<void> note(Result<void> of_tail);
  bool is_full() const;
  uint64_t age_ns(const ClockAnchor& now) const;
  uint64_t end_bytes() const;
  std::string signed_checkpoint(const ClockAnchor& now) const;

  SpoolFile file_;
  TailFile tail_;
  RecordingOptions options_;
  std::array<unsigned char, 16> session_ = {};
  std::string origin_;
  uint64_t chunks_ = 0;
  std::string last_leaf_;
  MerkleFrontier tree_;
  ChunkIndex index_;
  Totals totals_;

  std::unique_ptr<Compressor> compressor_ = std::make_unique<Compressor>();  // the builder knows where it is
  std::unique_ptr<ChunkBuilder> builder_;
  bool is_sealing_ = false;   // it is full and waits for the disk
  std::string open_records_;  // of the open chunk: what the tail holds of it
  uint64_t open_pieces_bytes_ = 0;
  Digest open_hash_;
  bool has_end_ = false;
  bool has_stale_tail_ = false;  // the tail holds chunks that are sealed
  bool is_dirty_ = false;
  std::optional<Error> refusal_;
};

}  // namespace cairn::recorder
