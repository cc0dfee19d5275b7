#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>

#include "base/result.h"
#include "recorder/chunk.h"
#include "recorder/recording_file.h"
#include "recorder/reorder_window.h"
#include "recorder/sequence_ledger.h"
#include "recorder/sequence_set.h"
#include "recorder/totals.h"

namespace cairn::recorder {

// Events are put on the disk when the oldest of them is this old, or when this much waits; so kill -9 takes less than a
// second as long as flush() is called every 100 ms, even while the disk takes half of one to sync.
constexpr uint64_t kMaxBatchAgeNs = 300'000'000;
constexpr size_t kFlushRawBytes = 64 * 1024;
// Power loss takes no more than what came within this time, and a signature covers all that is older.
constexpr uint64_t kCommitIntervalNs = 500'000'000;
// A wall clock that moves by more than this against the time since boot, at once or bit by bit, was set by somebody:
// what keeps the two clocks' pace (adjtimex(2)) does it for both.
constexpr int64_t kClockStepNs = 100'000'000;
// A kernel event larger than this is not recorded but becomes a Gap{UNREADABLE}.
constexpr size_t kMaxEventBytes = 512 * 1024;
// What waits in memory while the spool is full; beyond it the oldest events are dropped and counted.
constexpr size_t kMaxPendingBytes = 8 * 1024 * 1024;

// Writes one session's recording into one spool file, from Begin to End, merging by time what comes from several
// sources. One thread at a time. Blocks on the disk: call it on a thread of its own, never on a strand.
// Why a plain file: docs/decisions/spool-files.md. Format: docs/recording-format.md.
//
// Destroyed without seal() it leaves a recording that close_interrupted() completes, just as a crash does.
class RecordingWriter {
 public:
  // Makes `path` (0600), which must not exist, with an exclusive flock(2) held until seal() or destruction. The file
  // appears under its name only with Begin durable inside and already locked, so a sweep of the folder never meets half
  // of it.
  //   begin        session_id must be a UUID; it names the session in every chunk
  //   now          when the session began
  //   fails        kInvalid: session_id is no UUID. EEXIST and other errno values of open(2), linkat(2), fdatasync(2).
  static Result<RecordingWriter> create(std::filesystem::path path, const Begin& begin, const ClockAnchor& now,
                                        RecordingOptions options);

  // Takes one event into the reorder window. Never fails; may write when the window is full (what went wrong is what
  // the next flush() returns). kernel_seq and boot_ns are set by the caller, `late` by the writer. Output longer than
  // kMaxOutputBytes is split, neighbouring output joined. Bytes that are not UTF-8 in string fields become U+FFFD.
  // A Gap with numbers (from the capture) counts them as missing. Not Begin and not End.
  void add(Event event);

  // Releases what has left the window, records numbers that have been missing for a second, writes what is due: kill -9
  // does not take it from then on, nor does power loss after kCommitIntervalNs. Call it at least every 100 ms.
  //   fails  kSpoolFull: the quota would be passed, or the disk is full. Up to kMaxPendingBytes wait in memory and are
  //          written when there is room; what is beyond is dropped, oldest first, and stands in the recording as
  //          Gap{SPOOL_FULL} with exact numbers and byte counts. The writer goes on.
  //          Any other error: the disk refused. Read-only from then on, since nobody knows what a failed write or sync
  //          left; every later call returns the same error. What flush() had confirmed before is safe.
  //          kClosed: after seal().
  Result<void> flush(const ClockAnchor& now);

  // The same for everything, whatever its age, and against power loss, too: afterwards nothing is in memory alone.
  // Events that come later with earlier times are marked late.
  Result<void> flush_all(const ClockAnchor& now);

  // Writes everything, the gaps against what the kernel says it issued, and the final chunk; syncs; releases the lock.
  //   fails  as flush(). After kSpoolFull (the disk itself is full) it may be called again.
  Result<void> seal(recording::v1::EndReason reason, uint64_t kernel_issued, const ClockAnchor& now);

  // A quota is a share of the disk and may change while the session runs.
  void set_quota(uint64_t quota_bytes) { file_.set_quota(quota_bytes); }

  uint64_t bytes() const { return file_.bytes(); }             // of the file: whole chunks
  const Totals& totals() const { return file_.totals(); }      // of the events written
  uint64_t kernel_stored() const { return ledger_.stored(); }  // numbers added, lost ones taken off
  uint64_t kernel_missing() const { return ledger_.missing(); }

 private:
  struct Pending {
    Event event;
    size_t bytes;  // in the batch
  };

  RecordingWriter(RecordingFile file, const ClockAnchor& now);

  Result<void> check_open() const;
  void admit(Event event);
  bool replace_oversize(Event& event);
  void relieve_window();
  void note_clocks(const ClockAnchor& now);
  void release(uint64_t up_to_boot_ns);
  void enqueue(Event event);
  bool join_last(const Event& event);
  bool is_due(uint64_t now_boot_ns) const;
  Result<void> write_due(const ClockAnchor& now, bool everything);
  Result<void> write_next_batch(RecordingFile::Room room);
  uint64_t losses_boot_ns() const;
  bool has_losses() const;
  Events losses(uint64_t boot_ns) const;
  void forget_losses(const Events& recorded);
  KernelPosition note_on_record(const Events& events);
  void drop_oldest_beyond(size_t limit_bytes);
  void account_for_drop(const Event& event);
  Result<void> write_end(Event end);

  RecordingFile file_;
  ClockAnchor now_;       // of the last call that brought it
  ClockAnchor compared_;  // from which steps are counted: small ones add up
  ReorderWindow window_;
  SequenceLedger ledger_;
  std::deque<Pending> pending_;  // released, in order, not yet in a chunk
  size_t pending_bytes_ = 0;
  uint64_t last_boot_ns_;  // of the last released event that was not late
  uint64_t committed_boot_ns_ = 0;
  SequenceSet on_record_;  // numbers written, as events or in gaps
  uint64_t stored_on_record_ = 0;
  SequenceSet lost_;  // numbers dropped for want of room and not yet on record
  uint64_t lost_output_bytes_ = 0;
  uint64_t lost_other_events_ = 0;
  bool has_exit_ = false;  // the first channel's program has ended
  recording::v1::ChannelClosed exit_;
  bool is_sealed_ = false;
};

// Completes the recording of a worker that died: cuts a torn last chunk off, puts what the tail holds of the open chunk
// in its place, rebuilds index and totals from the chunks' headers, records as Gap{INTERRUPTED} what is missing,
// appends the final chunk with END_REASON_INTERRUPTED, syncs. Needs no keys. Does nothing to a recording that is
// complete.
//   boot_id        of this boot: when the recording is of another one, power may have been lost, and any number of
//                  chunks at its end may be torn
//   kernel_issued  what the kernel's counter says; nullopt when nobody could read it: then one Gap with count 0 says so
//   fails          kDenied: a living writer holds the lock. kTruncated: not even Begin is whole; nothing can be saved,
//                  remove the file. kCorrupt: a chunk other than the last fails its check; the file is left as it is.
//                  An errno.
Result<void> close_interrupted(const std::filesystem::path& path, const ClockAnchor& now, const std::string& boot_id,
                               std::optional<uint64_t> kernel_issued);

// True while a writer holds the recording. Does not disturb it.
Result<bool> is_locked(const std::filesystem::path& path);

}  // namespace cairn::recorder
