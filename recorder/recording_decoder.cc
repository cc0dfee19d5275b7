#include "recorder/recording_decoder.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "recorder/tail_record.h"

namespace cairn::recorder {

void RecordingDecoder::feed(std::string_view bytes) {
  if (error_) return;
  if (consumed_ != 0) {
    buffer_.erase(0, consumed_);
    consumed_ = 0;
  }
  buffer_.append(bytes);
}

void RecordingDecoder::feed_pieces(uint64_t number, std::string_view records) {
  if (error_ || number < whole_chunks_) return;
  if (number != pieces_of_) {
    pieces_.clear();
    pieces_used_ = 0;
    piece_reader_.reset();
    pieces_of_ = number;
  }
  pieces_.append(records);
}

Result<std::optional<Event>> RecordingDecoder::next() {
  while (next_event_ == events_.size()) {
    if (error_) return fail(error_->code, error_->message);
    Result<bool> decoded = decode_next_chunk();
    if (decoded && !*decoded) decoded = decode_next_piece();
    if (!decoded) {
      error_ = decoded.error();
      return fail(decoded);
    }
    if (!*decoded) return std::nullopt;
  }
  return std::move(events_[next_event_++]);
}

// False when more bytes are needed.
Result<bool> RecordingDecoder::decode_next_chunk() {
  const std::string_view waiting = std::string_view(buffer_).substr(consumed_);
  if (has_final_ && !proof_.empty() && !waiting.empty()) {
    return fail(Errc::kCorrupt, fmt::format("bytes follow the recording's proof at offset {}", offset_));
  }
  if (waiting.size() < kChunkHeaderBytes) {
    // Not even a beginning: say so at once.
    const std::string_view magic = waiting.substr(0, 4);
    if (!std::string_view("CRNR").starts_with(magic) && !std::string_view("CRNA").starts_with(magic)) {
      return fail_here({Errc::kCorrupt, "no chunk begins here (the magic bytes are missing)"});
    }
    return false;
  }
  const Result<ChunkHeader> header = parse_chunk_header(waiting);
  if (!header && header.error().code == Errc::kTruncated) return false;
  if (!header) return fail_here(header.error());
  if (waiting.size() < header->size()) return false;
  const Result<ChunkView> chunk = check_chunk(waiting.substr(0, header->size()));
  if (!chunk) return fail_here(chunk.error());
  if (Result<void> place = check_place(*header); !place) return fail_here(place.error());
  Result<Events> events = events_of(*chunk);
  if (!events) return fail_here(events.error());

  if (header->type == ChunkType::kEvents) index_.add(written_offset_, *header);
  header_ = *header;
  session_ = header->session;
  last_leaf_ = leaf_hash(*chunk);
  has_final_ = has_final_ || header->is_final();
  consumed_ += header->size();
  offset_ += header->size();
  written_offset_ += header->written_size();
  if (header->type != ChunkType::kProof) ++whole_chunks_;
  events_ = std::move(*events);
  next_event_ = 0;
  // What its pieces have given comes not again.
  if (given_of_ == header->number) next_event_ = std::min(given_, events_.size());
  if (pieces_of_ <= header->number) {
    pieces_.clear();
    pieces_used_ = 0;
    piece_reader_.reset();
  }
  return true;
}

Result<bool> RecordingDecoder::decode_next_piece() {
  const std::string_view waiting = std::string_view(pieces_).substr(pieces_used_);
  if (waiting.empty() || pieces_of_ != whole_chunks_ || whole_chunks_ == 0) return false;
  const Result<ParsedTailRecord> record = parse_tail_record(waiting);
  if (!record) return fail_here(record.error());
  if (!piece_reader_) piece_reader_ = std::make_unique<PieceReader>(pieces_of_, keys_.get());
  Result<Events> events = piece_reader_->add(record->bytes);
  if (!events) return fail_here(why_locked(events.error()));
  pieces_used_ += record->bytes.size();
  events_ = std::move(*events);
  next_event_ = 0;
  given_of_ = pieces_of_;
  given_ = piece_reader_->events();
  return true;
}

Result<Events> RecordingDecoder::events_of(const ChunkView& chunk) {
  Events events;
  if (chunk.header.type == ChunkType::kBegin) {
    Result<Opening> opening = read_opening(chunk);
    if (!opening) return fail(opening);
    opening_ = std::move(*opening);
    events.push_back(opening_.begin());
    if (opening_.sealed_secret().empty() || !unlock_) return events;
    Result<std::shared_ptr<const RecordingKeys>> keys = unlock_(opening_);
    // Who has no key still reads what lies open.
    if (!keys && keys.error().code != Errc::kDenied) return fail(keys);
    if (!keys) locked_ = keys.error();
    if (keys) keys_ = std::move(*keys);
    return events;
  }
  if (chunk.header.type == ChunkType::kProof) {
    proof_ = chunk.payload;
    return events;
  }
  if (chunk.header.is_final()) {
    Result<Closing> closing = read_closing(chunk);
    if (!closing) return fail(closing);
    events.push_back(std::move(*closing->mutable_end()));
    return events;
  }
  Result<ChunkContent> content = read_chunk(chunk, keys_.get());
  if (!content) {
    const Error why = why_locked(content.error());
    return fail(why.code, why.message);
  }
  unknown_ += content->unknown;
  return std::move(content->events);
}

// Whoever was asked for the keys knows better why there are none.
Error RecordingDecoder::why_locked(const Error& error) const {
  return locked_ && error.code == make_error_code(Errc::kDenied) ? *locked_ : error;
}

Events RecordingDecoder::salvage() const {
  if (error_ || has_final_ || whole_chunks_ == 0) return {};
  const std::string_view waiting = std::string_view(buffer_).substr(consumed_);
  const Result<ChunkHeader> header = parse_chunk_header(waiting);
  if (!header || !check_place(*header)) return {};
  Events events = salvage_chunk(waiting, keys_.get());
  const uint64_t given = given_of_ == header->number ? given_ : 0;
  events.erase(events.begin(), events.begin() + static_cast<std::ptrdiff_t>(std::min<uint64_t>(given, events.size())));
  return events;
}

void RecordingDecoder::jump(uint64_t number, uint64_t offset) {
  buffer_.clear();
  consumed_ = 0;
  events_.clear();
  next_event_ = 0;
  pieces_.clear();
  pieces_used_ = 0;
  piece_reader_.reset();
  given_ = 0;
  last_leaf_.clear();
  proof_.clear();
  has_final_ = false;
  whole_chunks_ = number;
  offset_ = offset;
  error_.reset();
}

Result<void> RecordingDecoder::check_place(const ChunkHeader& header) const {
  if (has_final_ != (header.type == ChunkType::kProof)) {
    return fail(Errc::kCorrupt, has_final_ ? "it follows the final chunk" : "a proof stands before the final chunk");
  }
  if (header.number != whole_chunks_) {
    return fail(Errc::kCorrupt, fmt::format("chunk number {} in this place", header.number));
  }
  if (whole_chunks_ == 0) return {};
  if (header.session != session_) {
    return fail(Errc::kCorrupt,
                fmt::format("belongs to session {}, not {}", uuid_text(header.session), uuid_text(session_)));
  }
  const std::string previous(header.previous.begin(), header.previous.end());
  if (!last_leaf_.empty() && previous != last_leaf_) {
    return fail(Errc::kCorrupt, "it does not continue the chunk before it (their hashes differ)");
  }
  return {};
}

Failure RecordingDecoder::fail_here(const Error& error) const {
  return fail(error.code, fmt::format("chunk {} at offset {}: {}", whole_chunks_, offset_, error.message));
}

bool RecordingDecoder::is_complete() const {
  return has_final_ && !error_ && next_event_ == events_.size() && consumed_ == buffer_.size();
}

Result<void> RecordingDecoder::finish() const {
  if (error_) return fail(error_->code, error_->message);
  if (is_complete()) return {};
  return fail(Errc::kTruncated,
              fmt::format("recording ends after {} whole chunks (offset {}); {} bytes of a torn chunk follow",
                          whole_chunks_, offset_, buffer_.size() - consumed_));
}

}  // namespace cairn::recorder
