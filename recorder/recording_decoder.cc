#include "recorder/recording_decoder.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"

namespace cairn::recorder {

void RecordingDecoder::feed(std::string_view bytes) {
  if (error_) return;
  if (consumed_ != 0) {
    buffer_.erase(0, consumed_);
    consumed_ = 0;
  }
  buffer_.append(bytes);
}

Result<std::optional<Event>> RecordingDecoder::next() {
  while (next_event_ == batch_.events_size()) {
    if (error_) return fail(error_->code, error_->message);
    Result<bool> decoded = decode_next_chunk();
    if (!decoded) {
      error_ = decoded.error();
      return fail(decoded);
    }
    if (!*decoded) return std::nullopt;
  }
  return std::move(*batch_.mutable_events(next_event_++));
}

// False when more bytes are needed.
Result<bool> RecordingDecoder::decode_next_chunk() {
  const std::string_view waiting = std::string_view(buffer_).substr(consumed_);
  if (has_final_ && !waiting.empty()) {
    return fail(Errc::kCorrupt,
                fmt::format("bytes follow the final chunk (chunk {}) at offset {}", header_.number, offset_));
  }
  if (waiting.size() < kChunkHeaderBytes) return false;
  const Result<ChunkHeader> header = parse_chunk_header(waiting);
  if (!header) return fail_here(header.error());
  if (waiting.size() < header->size()) return false;
  Result<Batch> batch = decode_chunk(waiting.substr(0, header->size()));
  if (!batch) return fail_here(batch.error());
  if (Result<void> place = check_place(*header); !place) return fail_here(place.error());
  if (Result<void> order = check_order(*header, *batch); !order) return fail_here(order.error());

  if (!header->is_final) index_.add(offset_, *header);
  header_ = *header;
  session_ = header->session;
  has_final_ = header->is_final;
  consumed_ += header->size();
  offset_ += header->size();
  ++whole_chunks_;
  batch_ = std::move(*batch);
  next_event_ = 0;
  return true;
}

Result<void> RecordingDecoder::check_place(const ChunkHeader& header) const {
  if (header.number != whole_chunks_) {
    return fail(Errc::kCorrupt, fmt::format("chunk number {} in this place", header.number));
  }
  if (whole_chunks_ != 0 && header.session != session_) {
    return fail(Errc::kCorrupt,
                fmt::format("belongs to session {}, not {}", uuid_text(header.session), uuid_text(session_)));
  }
  return {};
}

// Begin is the first event of all and End the last, once each.
Result<void> RecordingDecoder::check_order(const ChunkHeader& header, const Batch& batch) const {
  const int last = batch.events_size() - 1;
  for (int i = 0; i <= last; ++i) {
    const Event& event = batch.events(i);
    const bool may_begin = whole_chunks_ == 0 && i == 0;
    if ((event.kind_case() == Event::kBegin) != may_begin) {
      return fail(Errc::kCorrupt, may_begin ? "the first event is no Begin" : "a Begin after the first event");
    }
    const bool must_end = header.is_final && i == last;
    if ((event.kind_case() == Event::kEnd) != must_end) {
      return fail(Errc::kCorrupt, must_end ? "the final chunk has no End" : "an End before the last event");
    }
  }
  if (whole_chunks_ == 0 && batch.events(0).begin().session_id() != uuid_text(header.session)) {
    return fail(Errc::kCorrupt, "Begin names another session than the chunk");
  }
  return {};
}

Failure RecordingDecoder::fail_here(const Error& error) const {
  return fail(error.code, fmt::format("chunk {} at offset {}: {}", whole_chunks_, offset_, error.message));
}

bool RecordingDecoder::is_complete() const {
  return has_final_ && !error_ && next_event_ == batch_.events_size() && consumed_ == buffer_.size();
}

Result<void> RecordingDecoder::finish() const {
  if (error_) return fail(error_->code, error_->message);
  if (is_complete()) return {};
  return fail(Errc::kTruncated,
              fmt::format("recording ends after {} whole chunks (offset {}); {} bytes of a torn chunk follow",
                          whole_chunks_, offset_, buffer_.size() - consumed_));
}

}  // namespace cairn::recorder
