#include "recorder/recording_file.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "recorder/tail_record.h"

namespace cairn::recorder {
namespace {

// What one batch may add, incompressible, with the chunk's wrapping.
constexpr uint64_t kBatchBytes = uint64_t{80} << 10;
// What a chunk takes on the disk, so that a disk that fills up meanwhile does not keep it from being sealed.
constexpr uint64_t kReservedBytes = kSealFrameBytes + kBatchBytes;
// What is larger is sealed at once: a flood does not compress everything twice, for a piece that is stale in no time.
constexpr size_t kPieceBytes = size_t{256} << 10;
// A tail of signatures alone is begun anew beyond this.
constexpr uint64_t kMaxCheckpointsBytes = uint64_t{64} << 10;
// What gaps and end take beyond the last chunk, and an entry of the index. Kept free from the beginning: a spool that
// holds nothing but a recording that cannot be ended would stay full for ever.
constexpr uint64_t kEndBytes = uint64_t{64} << 10;
constexpr uint64_t kIndexEntryBytes = 16;
// A chunk that took this long holds what a person typed: there is time to compress it well when it is sealed. Measured
// in docs/decisions/recording-format-2.md.
constexpr uint64_t kSlowChunkNs = 5'000'000'000;
constexpr int kLevel = 1;
constexpr int kSlowLevel = 16;

}  // namespace

Result<RecordingFile> RecordingFile::create(const std::filesystem::path& path, const Event& begin,
                                            const ClockAnchor& now, RecordingOptions options) {
  Result<SpoolFile> file = SpoolFile::create_nameless(path);
  if (!file) return fail(file);
  RecordingFile recording(std::move(*file), std::move(options));
  recording.session_ = uuid_bytes(begin.begin().session_id());
  recording.origin_ = recording_origin(begin.begin().cluster(), begin.begin().session_id());
  Opening opening;
  *opening.mutable_begin() = begin;
  if (const auto& signer = recording.options_.signer) opening.set_certificate(signer->certificate);
  if (const RecordingKeys* keys = recording.options_.keys.get()) {
    opening.set_sealed_secret(keys->sealed_secret());
    for (const Recipient& recipient : keys->recipients()) opening.add_recipients(recipient_text(recipient));
  }
  const std::string first = encode_opening(recording.place(now), opening);
  if (first.size() > recording.options_.quota_bytes) {
    return fail(Errc::kSpoolFull, fmt::format("{}: no room for a recording's beginning", path.string()));
  }
  if (const ClaimRoom& claim_room = recording.options_.claim_room) {
    if (Result<void> claimed = claim_room(0, first.size() + kEndBytes); !claimed) return fail(claimed);
  }
  if (Result<void> written = recording.append_chunk(first); !written) return fail(written);
  if (Result<void> reserved = recording.file_.reserve(kEndBytes); !reserved) return fail(reserved);
  if (Result<void> synced = recording.file_.sync(); !synced) return fail(synced);
  if (Result<void> named = recording.file_.publish(); !named) return fail(named);
  return recording;
}

ChunkPlace RecordingFile::place(const ClockAnchor& now) const {
  return {.session = session_, .number = chunks_, .previous = last_leaf_, .anchor = now};
}

Result<void> RecordingFile::append_chunk(const std::string& chunk) {
  const uint64_t offset = file_.bytes();
  if (Result<void> appended = file_.append(chunk, std::numeric_limits<uint64_t>::max()); !appended) return appended;
  const Result<ChunkView> view = check_chunk(chunk);
  if (!view) return fail(Errc::kInternal, "wrote a chunk that does not parse: " + view.error().message);
  if (view->header.type == ChunkType::kEvents) index_.add(offset, view->header);
  last_leaf_ = leaf_hash(*view);
  tree_.add(last_leaf_);
  ++chunks_;
  is_dirty_ = true;
  return {};
}

Result<void> RecordingFile::make_room(const ClockAnchor& now, Room room) {
  if (is_sealing_) {
    if (Result<void> sealed = seal_open_chunk(); !sealed) return sealed;
  }
  const uint64_t used = file_.bytes() + (builder_ ? builder_->frame_bytes() : 0);
  const uint64_t quota = options_.quota_bytes;
  if (room == Room::kWithinQuota && (used > quota || quota - used < kBatchBytes)) {
    return fail(Errc::kSpoolFull,
                fmt::format("{}: {} bytes more could pass the quota of {}", file_.path().string(), kBatchBytes, quota));
  }
  if (builder_) return {};
  if (room == Room::kWithinQuota && options_.claim_room) {
    if (Result<void> claimed = options_.claim_room(used, kReservedBytes); !claimed) return claimed;
  }
  const Result<void> reserved = file_.reserve(kReservedBytes + end_bytes());
  if (!reserved && room == Room::kWithinQuota) return reserved;
  builder_ = std::make_unique<ChunkBuilder>(place(now), options_.keys.get(), *compressor_, kLevel);
  open_records_.clear();
  open_pieces_bytes_ = 0;
  open_hash_ = Digest();
  return {};
}

uint64_t RecordingFile::end_bytes() const { return kEndBytes + kIndexEntryBytes * index_.entries(); }

bool RecordingFile::is_full() const {
  return builder_->raw_bytes() >= options_.seal_raw_bytes || builder_->frame_bytes() >= kSealFrameBytes ||
         builder_->events() >= kMaxChunkEvents / 2;
}

Result<void> RecordingFile::append(Events events, const KernelPosition& after, const ClockAnchor& now) {
  for (const Event& event : events) totals_.add(event);
  builder_->add(std::move(events), after);
  is_dirty_ = true;
  if (!is_full() && age_ns(now) < kSealAgeNs) return {};
  Result<void> sealed = begin_sealing(now);
  if (!sealed && sealed.error().code == Errc::kSpoolFull) return {};  // it waits; make_room() tells
  return sealed;
}

uint64_t RecordingFile::age_ns(const ClockAnchor& now) const {
  return now.boot_ns - std::min(now.boot_ns, builder_->header().anchor.boot_ns);
}

Result<void> RecordingFile::begin_sealing(const ClockAnchor& now) {
  is_sealing_ = true;
  builder_->seal(age_ns(now) >= kSlowChunkNs ? std::optional(kSlowLevel) : std::nullopt);
  return seal_open_chunk();
}

Result<void> RecordingFile::seal_open_chunk() {
  if (Result<void> appended = append_chunk(builder_->seal()); !appended) {
    // What was reserved has been cut off with what did not fit.
    if (appended.error().code == Errc::kSpoolFull) std::ignore = file_.reserve(end_bytes());
    return appended;
  }
  has_stale_tail_ = has_stale_tail_ || !open_records_.empty() || tail_.bytes() > kMaxCheckpointsBytes;
  builder_.reset();
  is_sealing_ = false;
  open_records_.clear();
  open_pieces_bytes_ = 0;
  return {};
}

// A tail that the disk refuses for another reason than want of room makes the whole read-only: nobody knows what a
// failed write or sync left.
Result<void> RecordingFile::note(Result<void> of_tail) {
  if (!of_tail && of_tail.error().code != Errc::kSpoolFull) refusal_ = of_tail.error();
  return of_tail;
}

Result<void> RecordingFile::save(const ClockAnchor& now) {
  if (!builder_ || is_sealing_ || builder_->is_written()) return {};
  if (builder_->unwritten_bytes() >= kPieceBytes) return begin_sealing(now);
  std::string records;
  if (open_records_.empty()) records = builder_->start_record();
  const std::string piece = builder_->make_piece();
  records += piece;
  if (Result<void> appended = note(tail_.append(records)); !appended) return appended;
  builder_->note_written();
  open_records_ += records;
  open_hash_.add(piece);
  open_pieces_bytes_ += piece.size();
  return {};
}

std::string RecordingFile::signed_checkpoint(const ClockAnchor& now) const {
  const auto& signer = options_.signer;
  if (!signer) return {};
  Checkpoint checkpoint{.origin = origin_,
                        .size = tree_.size(),
                        .root = tree_.root(),
                        .wall_ns = static_cast<uint64_t>(std::max<int64_t>(now.wall_ns, 0))};
  if (builder_ && open_pieces_bytes_ != 0) {
    checkpoint.open = {.chunk = chunks_, .bytes = open_pieces_bytes_, .hash = open_hash_.peek()};
  }
  const std::string note = signer->sign(checkpoint);
  return encode_tail_record({.type = TailRecordType::kCheckpoint, .chunk = chunks_, .meta = {}, .body = note});
}

Result<void> RecordingFile::commit(const ClockAnchor& now) {
  if (!is_dirty_) return {};
  if (Result<void> saved = save(now); !saved) return saved;
  // First what the checkpoint speaks of, then the checkpoint.
  if (Result<void> synced = file_.sync(); !synced) return synced;
  const std::string checkpoint = signed_checkpoint(now);
  if (has_stale_tail_) {
    if (Result<void> replaced = note(tail_.replace(open_records_ + checkpoint)); !replaced) return replaced;
    has_stale_tail_ = false;
  } else {
    if (!checkpoint.empty()) {
      if (Result<void> appended = note(tail_.append(checkpoint)); !appended) return appended;
    }
    if (Result<void> synced = note(tail_.sync()); !synced) return synced;
  }
  is_dirty_ = false;
  return {};
}

Result<void> RecordingFile::finish(Event end, const KernelPosition& position, const ClockAnchor& now) {
  if (builder_) {
    if (Result<void> sealed = begin_sealing(now); !sealed) return sealed;
  }
  if (!has_end_) {
    Closing closing;
    totals_.copy_to(*end.mutable_end());
    index_.copy_to(*end.mutable_end());
    *closing.mutable_end() = std::move(end);
    if (Result<void> appended = append_chunk(encode_closing(place(now), closing, position)); !appended) return appended;
    has_end_ = true;
  }
  if (Result<void> synced = file_.sync(); !synced) return synced;
  // Nothing of the tail is needed but the last word on the whole.
  const std::string last_word = signed_checkpoint(now);
  Result<void> signed_all = tail_.replace(last_word);
  if (!signed_all && signed_all.error().code == Errc::kSpoolFull) signed_all = tail_.rewrite(last_word);
  if (!signed_all) return signed_all;
  options_.signer.reset();
  options_.keys.reset();
  file_.close();
  is_dirty_ = false;
  return {};
}

}  // namespace cairn::recorder
