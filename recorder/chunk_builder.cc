#include "recorder/chunk_builder.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/bytes.h"
#include "recorder/columns.h"
#include "recorder/tail_record.h"

namespace cairn::recorder {
namespace {

constexpr int kPlainLevel = 3;
constexpr int kPieceLevel = 1;
// So much of a sealed chunk may be lost behind a cut; smaller steps compress worse.
constexpr size_t kFrameStepBytes = 32 * 1024;
constexpr size_t kEventBytes = 6;  // what an event takes in the columns of all kinds

void append_batch(Events events, std::string& bytes) {
  if (events.empty()) return;
  const size_t begin = bytes.size();
  bytes.append(kBatchLengthBytes, '\0');
  append_columns(std::move(events), bytes);
  write_le32(bytes.data() + begin, static_cast<uint32_t>(bytes.size() - begin - kBatchLengthBytes));
}

ChunkHeader header_of(const ChunkPlace& place, ChunkType type) {
  ChunkHeader header;
  header.type = type;
  header.session = place.session;
  header.number = place.number;
  header.anchor = place.anchor;
  std::memcpy(header.previous.data(), place.previous.data(), std::min(place.previous.size(), header.previous.size()));
  return header;
}

void set_content(ChunkHeader& header, const std::string& digest) {
  std::memcpy(header.content.data(), digest.data(), header.content.size());
}

std::string nonce_of(uint64_t counter) {
  std::string nonce(kNonceBytes, '\0');
  write_le64(nonce.data(), counter);
  return nonce;
}

uint64_t folded_uses(const Event& event) {
  return event.kind_case() == Event::kFolded ? event.folded().opens() + event.folded().executable_maps() : 0;
}

// A chunk of one message that holds one event.
std::string encode_single(ChunkHeader header, const Event& event, const std::string& raw, ChunkMeta meta) {
  header.kinds = kind_bit(event.kind_case());
  header.first_boot_ns = header.last_boot_ns = event.boot_ns();
  header.events = 1;
  header.raw_bytes = static_cast<uint32_t>(raw.size());
  set_content(header, sha256(raw));
  meta.add_kinds(event.kind_case());
  meta.add_counts(1);
  return encode_chunk(header, meta, compress_frame(raw, kPlainLevel));
}

}  // namespace

ChunkBuilder::ChunkBuilder(const ChunkPlace& place, const RecordingKeys* keys, Compressor& compressor, int level)
    : keys_(keys),
      header_(header_of(place, ChunkType::kEvents)),
      frame_(compressor.begin(level)),
      content_(keys == nullptr ? std::string_view() : keys->content_key().view()) {
  if (keys != nullptr) header_.form = keys->age_recipients().empty() ? PayloadForm::kSealedFrame : PayloadForm::kAge;
  if (keys != nullptr) piece_key_ = keys->piece_key(place.number);
}

void ChunkBuilder::add(Events events, const KernelPosition& after) {
  for (Event& event : events) {
    const uint64_t time = event.boot_ns() / kTickNs * kTickNs;  // as it will be read again
    event.set_boot_ns(time);
    header_.first_boot_ns = empty() ? time : std::min(header_.first_boot_ns, time);
    header_.last_boot_ns = std::max(header_.last_boot_ns, time);
    header_.kinds |= kind_bit(event.kind_case());
    ++counts_[static_cast<size_t>(event.kind_case()) - 10];
    ++header_.events;
    if (event.kind_case() == Event::kOutput) {
      meta_.set_output_bytes(meta_.output_bytes() + event.output().data().size());
    }
    if (const uint64_t uses = folded_uses(event); uses != 0) meta_.set_folded(meta_.folded() + uses);
  }
  meta_.set_kernel_settled(after.settled);
  meta_.set_kernel_stored(after.stored);
  meta_.clear_kinds();
  meta_.clear_counts();
  for (uint64_t rest = header_.kinds; rest != 0; rest &= rest - 1) {
    const auto bit = static_cast<unsigned>(std::countr_zero(rest));
    meta_.add_kinds(bit + 10);
    meta_.add_counts(counts_[bit]);
  }
  for (Event& event : events) {
    const bool is_output = event.kind_case() == Event::kOutput;
    waiting_bytes_ += kEventBytes + (is_output ? event.output().data().size() : event.ByteSizeLong());
    waiting_.push_back(std::move(event));
  }
  if (waiting_bytes_ >= kFrameStepBytes) frame_waiting();
}

// Two batches, so that what is in pieces already is not put into another.
void ChunkBuilder::frame_waiting() {
  std::string& raw = frame_.raw();
  const size_t begin = raw.size();
  if (waiting_written_ != 0) {
    const auto middle = waiting_.begin() + static_cast<std::ptrdiff_t>(waiting_written_);
    append_batch(Events(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(middle)), raw);
    waiting_.erase(waiting_.begin(), middle);
    unwritten_from_ = raw.size();
  }
  append_batch(std::move(waiting_), raw);
  waiting_.clear();
  waiting_bytes_ = 0;
  waiting_written_ = 0;
  header_.raw_bytes = static_cast<uint32_t>(raw.size());
  content_.add(std::string_view(raw).substr(begin));
  frame_.flush();
}

std::string ChunkBuilder::start_record() const {
  ChunkHeader start = header_;
  // Not known yet; a header with none would be refused.
  start.raw_bytes = start.events = 1;
  start.first_boot_ns = start.last_boot_ns = 0;
  start.kinds = 0;
  const std::string chunk = encode_chunk(start, {}, std::string_view("\0", 1));
  return encode_tail_record({.type = TailRecordType::kStart,
                             .chunk = header_.number,
                             .meta = {},
                             .body = std::string_view(chunk).substr(0, kChunkHeaderBytes)});
}

std::string ChunkBuilder::make_piece() {
  std::string raw = frame_.raw().substr(unwritten_from_);
  append_batch(Events(waiting_.begin() + static_cast<std::ptrdiff_t>(waiting_written_), waiting_.end()), raw);
  last_piece_raw_bytes_ = piece_raw_bytes_ + raw.size();
  const std::string frame = compress_frame(raw, kPieceLevel);
  const std::string meta = meta_.SerializeAsString();
  TailRecord record{.type = TailRecordType::kPiece,
                    .chunk = header_.number,
                    .counter = ++counter_,
                    .first_boot_ns = header_.first_boot_ns,
                    .last_boot_ns = header_.last_boot_ns,
                    .kinds = header_.kinds,
                    .raw_bytes = static_cast<uint32_t>(last_piece_raw_bytes_),
                    .events = header_.events,
                    .meta = meta,
                    .body = frame};
  if (keys_ == nullptr) return encode_tail_record(record);
  const std::string sealed =
      aead_seal(Cipher::kAes256Gcm, piece_key_.view(), nonce_of(record.counter), frame, tail_record_context(record));
  record.body = sealed;
  return encode_tail_record(record);
}

void ChunkBuilder::note_written() {
  unwritten_from_ = frame_.raw().size();
  waiting_written_ = waiting_.size();
  written_events_ = header_.events;
  piece_raw_bytes_ = last_piece_raw_bytes_;
}

const std::string& ChunkBuilder::seal(std::optional<int> level) {
  if (!sealed_.empty()) return sealed_;
  frame_waiting();
  frame_.end();
  if (level) frame_.compress_again(*level);
  set_content(header_, content_.finish());
  sealed_ = keys_ == nullptr ? encode_chunk(header_, meta_, frame_.bytes()) : encode_chunk(header_, meta_, encrypted());
  return sealed_;
}

std::string ChunkBuilder::encrypted() const {
  if (header_.form == PayloadForm::kSealedFrame) {
    // The key is this chunk's alone and meets one nonce.
    return aead_seal(Cipher::kAes256Gcm, keys_->frame_key(header_.number).view(), nonce_of(0), frame_.bytes());
  }
  return age_encrypt(frame_.bytes(), keys_->chunk_key(header_.number).view(), keys_->age_recipients());
}

std::string encode_opening(const ChunkPlace& place, const Opening& opening) {
  return encode_single(header_of(place, ChunkType::kBegin), opening.begin(), opening.SerializeAsString(), {});
}

std::string encode_closing(const ChunkPlace& place, const Closing& closing, const KernelPosition& position) {
  ChunkMeta meta;
  meta.set_kernel_settled(position.settled);
  meta.set_kernel_stored(position.stored);
  return encode_single(header_of(place, ChunkType::kEnd), closing.end(), closing.SerializeAsString(), std::move(meta));
}

std::string encode_plain_events(const ChunkPlace& place, Events events, const KernelPosition& after) {
  Compressor compressor;
  ChunkBuilder builder(place, nullptr, compressor, kPlainLevel);
  builder.add(std::move(events), after);
  return builder.seal();
}

}  // namespace cairn::recorder
