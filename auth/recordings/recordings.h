#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "auth/recordings/chunk_store.h"
#include "auth/recordings/cluster_keys.h"
#include "auth/recordings/recording_tree.h"
#include "auth/store/records.h"
#include "auth/store/store.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "recorder/derive/derived_cache.h"
#include "recorder/chunk.h"

namespace cairn::auth {

// The archive: takes what nodes upload, checks it, keeps chunks and rows in step. The chunks are the truth; what the
// rows say about a recording is read from it. Thread-safe; blocks on the disk.
class Recordings {
 public:
  // What is handed in outlives it.
  //   derived  what is kept there of a recording goes with it
  Recordings(Store* store, ChunkStore* chunks, recorder::DerivedCache derived, const ClusterKeys* keys,
             const Clock* clock, Log log)
      : store_(store),
        chunks_(chunks),
        derived_(std::move(derived)),
        keys_(keys),
        clock_(clock),
        log_(std::move(log)) {}

  // At start: brings the rows of all sessions that are not complete up to their recordings, and makes rows for
  // recordings that have none (a database restored from an older backup). A damaged recording is logged and left.
  // Files of a recording that has a tombstone (a crash while it was deleted, an archive restored from an older backup)
  // are deleted.
  Result<void> reconcile();

  // Where an upload goes on. Of a recording that has been deleted everything is here, for all that the node needs to
  // know: `deletion` of its session says more.
  //   fails  kDenied: auth has not authorized this session for this node. kNotFound: no such session.
  Result<RecordingState> open_upload(const std::string& node_id, const std::string& session_id);

  // Stores one chunk durably. A number that is stored already is acknowledged again.
  //   fails  kInvalid: a number beyond the next; a chunk of another session or number, damaged, too large, or that does
  //          not continue the one before it; a first chunk without its Begin, a final one without its End; kDenied as
  //          above, and when Begin names another node, user or login than auth has authorized. Nothing is stored then.
  //          kUnavailable: the disk refuses.
  Result<RecordingState> upload(const std::string& node_id, const std::string& session_id, uint64_t number,
                                std::string_view chunk);

  // Stores what there is of the chunk that is still open, and the session's signature of all so far, which is checked
  // against what is stored and cosigned.
  //   returns  how many bytes of the chunk's pieces are stored; more or fewer than were sent: go on from there
  //   fails    kInvalid: no records of this chunk; a checkpoint that is not signed by the session's key, does not fit
  //            what is stored, or takes back what an earlier one said. kUnavailable: the disk refuses
  Result<uint64_t> upload_tail(const std::string& node_id, const v1::UploadTailRequest& request);

  // What is to be deleted, and the event that tells of it; to its fields is added what will be left of the recording.
  struct Removal {
    std::string session_id;
    v1::Deletion deletion;  // its root is filled in here
    bool is_early = false;
    AuditEvent event;
  };
  // Puts a tombstone in the recording's place, then deletes all that is stored of it. Once the tombstone stands there
  // is no recording any more, whatever happens next: what a crash leaves of the files is deleted by reconcile().
  //   fails  as Store::delete_recording; kNotFound: nothing was recorded. kUnavailable: the tombstone stands, and the
  //          disk refuses to delete the files; erase_rest() tries again
  Result<void> remove(Removal removal);
  // The same of many, with one look at the folder. What cannot be deleted is logged and left.
  //   returns  how many have a tombstone now
  Result<size_t> remove(std::vector<Removal> removals);
  // Deletes files that could not be deleted when their tombstone was written.
  Result<void> erase_rest();

  Result<RecordingState> state(const std::string& session_id) { return chunks_->state(session_id); }
  struct Part {
    std::string bytes;
    uint64_t layout = 0;           // in which they lie so
    uint64_t recording_bytes = 0;  // of the whole, in this layout
  };
  // Up to `limit_bytes` of the recording from `offset`, its proof behind it.
  //   layout  that of the part before; with offset 0 of no meaning
  //   fails   kInvalid: the recording has been recompressed since, and how it lay before is forgotten
  Result<Part> read(const std::string& session_id, uint64_t layout, uint64_t offset, size_t limit_bytes);
  // Where chunk `number` lies in that layout.
  //   expected  where it was in that of the node
  //   fails     as read(); kNotFound: there is none
  Result<uint64_t> offset_of(const std::string& session_id, uint64_t layout, uint64_t number, uint64_t expected);

  // What became of an attempt to recompress a recording.
  enum class Archiving {
    kDone,
    kLeft,    // for good: encrypted to others than auth, not sealed, or nothing would be gained
    kNotNow,  // held, deleted, or still live
  };
  // Recompresses a complete recording and puts it in the place of the old one, with auth's signature over how it lies
  // now. Takes seconds; a crash or power loss at any moment leaves one of the two, whole, and another call catches up.
  //   fails  kCorrupt: it is not what its node has signed; nothing has changed. kUnavailable: the disk refuses, or the
  //          process that compresses died
  //          kClosed: given up
  //   is_given_up  once true it ends soon; nullptr: never
  Result<Archiving> recompress(const std::string& session_id, const std::atomic<bool>* is_given_up = nullptr);
  void forget_replaced(std::chrono::seconds age) { chunks_->forget_replaced(age); }
  Result<StoredTail> tail(const std::string& session_id) { return chunks_->tail(session_id); }
  // Bytes of the proof; 0: there is none yet.
  Result<uint64_t> proof_bytes(const std::string& session_id);
  // The root, hexadecimal, of a complete recording whose proof does not say yet where its seal stands in the audit log;
  // empty: there is nothing to add.
  Result<std::string> root_to_prove(const std::string& session_id);
  Result<void> add_inclusion(const std::string& session_id, const recorder::AuditInclusion& inclusion);
  // Of the certificate that its session signs with, hexadecimal; empty: it is not signed.
  Result<std::string> certificate_serial(const std::string& session_id);
  // The secret that its chunks are encrypted with.
  //   fails  kDenied: encrypted to others than auth. kNotFound: not encrypted, or nothing is stored yet
  Result<std::string> secret(const std::string& session_id);
  // Auth's seal of a complete recording, a signed note; empty: it has none yet, or a timestamp already.
  //   fails  kNotFound: the recording is deleted
  Result<std::string> seal_to_timestamp(const std::string& session_id);
  // Adds what an authority answered to this seal, unless the recording has another by now.
  Result<void> add_timestamp(const std::string& session_id, const std::string& seal, const std::string& response);
  // `on_sealed` is called with each recording that is sealed, again when the session's last checkpoint came behind its
  // last chunk; from any thread, and it must not wait. To be set before anything is uploaded.
  void watch_seals(std::function<void(const std::string& session_id)> on_sealed) { on_sealed_ = std::move(on_sealed); }
  // It, sealed for recipients that came later; empty: there is none.
  Result<std::string> later_keys(const std::string& session_id) { return chunks_->keys(session_id); }

  enum class Wrapping {
    kRight,   // not encrypted, or for the recipients of now already
    kOther,   // auth can read it, and give it to them
    kLocked,  // encrypted to others than auth
  };
  Result<Wrapping> wrapping(const SessionRecord& session);
  // Gives the recording's secret to the recipients of now, in a file beside it; the recording stays as it is, and so
  // does who could read it before.
  //   fails  kDenied: it is locked. kUnavailable: the disk refuses
  Result<void> rewrap(const std::string& session_id);
  // True when auth could not read it any more without the keys that it has replaced, and nobody else was given it; true
  // too of one that has yet to come and is encrypted to such a key.
  Result<bool> needs_old_key(const SessionRecord& session);

 private:
  Result<RecordingState> stand_of_upload(const std::string& node_id, const std::string& session_id);
  Result<SessionRecord> authorized_session(const std::string& node_id, const std::string& session_id);
  Result<std::shared_ptr<const recorder::RecordingKeys>> keys_of(const std::string& session_id,
                                                                 const recorder::Opening& opening);
  Result<void> check_chunk(const SessionRecord& session, const recorder::ChunkView& chunk, const RecordingTree& tree);
  Result<void> learn(const SessionRecord& session, const recorder::ChunkView& chunk, const RecordingTree& tree);
  Result<void> learn_command(const SessionRecord& session, const recorder::Events& events);
  Result<void> learn_from_pieces(const SessionRecord& session, const recorder::Opening& opening, uint64_t chunk,
                                 std::string_view pieces);
  Result<recorder::Events> readable_events(const recorder::ChunkView& chunk);
  // The command of a recording that is stored; empty: a shell, or it is not to be found near the beginning.
  Result<std::string> stored_command(const std::string& session_id, const RecordingState& state);
  Result<void> finish(const SessionRecord& session, const recorder::Event& end, const RecordingTree& tree);
  Result<std::string> last_chunk(const std::string& session_id, const RecordingState& state);
  Result<void> prove(const std::string& session_id, const RecordingTree& tree);
  std::string sealed(std::string origin, const recorder::MerkleTree& leaves) const;
  Result<void> change_proof(const std::string& session_id, const std::function<void(recorder::Proof&)>& change);
  Result<UniqueFd> recompressed(const std::string& session_id, const RecordingState& state, std::string_view secret,
                                const std::atomic<bool>* is_given_up);
  Result<Archiving> put_archived(const SessionRecord& session, const RecordingState& before, UniqueFd file);
  Result<void> sign_archive(const std::string& session_id, const ArchiveTree& lies);
  Result<Archiving> note_archived(const SessionRecord& session, const RecordingState& now, uint64_t bytes_before);
  Result<Archiving> leave_as_is(const std::string& session_id, const RecordingState& state, std::string_view why);
  Result<StoredTail> last_tail(const std::string& session_id);
  Result<std::string> cosigned(const RecordingTree& tree, const v1::UploadTailRequest& request,
                               const StoredTail& before);
  // The tree of a recording that is being uploaded, held by one at a time: who uploads, or deletes.
  struct Held {
    std::mutex mutex;
    RecordingTree tree;
  };
  struct Hold {
    std::shared_ptr<Held> held;
    std::unique_lock<std::mutex> lock;
    RecordingTree& operator*() const { return held->tree; }
  };
  Hold lock_tree(const std::string& session_id);
  Result<void> load_tree(const std::string& session_id, RecordingTree& tree);
  Result<void> bury(Removal& removal);
  Result<Tombstone> tombstone_of(const SessionRecord& session, bool must_exist);
  Result<std::string> sealed_root(const std::string& session_id);
  Result<void> erase(const std::set<std::string>& session_ids);
  Result<void> reconcile_one(const std::string& session_id, bool has_row);
  Result<void> add_row_from(const std::string& session_id, const recorder::Opening& opening);

  Store* store_;
  ChunkStore* chunks_;
  recorder::DerivedCache derived_;
  const ClusterKeys* keys_;
  const Clock* clock_;
  Log log_;
  std::function<void(const std::string&)> on_sealed_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Held>> trees_;  // of recordings that are being uploaded
  std::set<std::string> unerased_;                      // have a tombstone, and files that the disk kept
};

}  // namespace cairn::auth
