#include "cli/player/recording_feed.h"

#include <utility>

namespace cairn::cli {

Result<EventFeed::Step> RecordingFeed::next(std::chrono::milliseconds wait) {
  for (;;) {
    Result<std::optional<recorder::Event>> event = decoder_.next();
    if (!event) return fail(event, source_->name());
    if (std::optional<recorder::Event>& given = *event) {
      counted_.add(*given);
      return Step{.state = State::kEvent, .event = std::move(*given)};
    }
    const bool is_complete = decoder_.is_complete();  // what lies behind the end is read all the same: it is refused
    Result<RecordingSource::Piece> piece = source_->read(offset_, is_complete ? std::chrono::milliseconds(0) : wait);
    if (!piece) return fail(piece);
    if (!piece->bytes.empty() || !piece->tail.empty()) {
      offset_ += piece->bytes.size();
      decoder_.feed(piece->bytes);
      decoder_.feed_pieces(piece->tail_chunk, piece->tail);
      continue;
    }
    if (is_complete) return Step{.state = State::kEnd, .event = {}};
    if (piece->is_live) return Step{.state = State::kWaiting, .event = {}};
    if (salvaged_given_ == 0) salvaged_ = decoder_.salvage();
    if (salvaged_given_ < salvaged_.size()) {
      recorder::Event event = std::move(salvaged_[salvaged_given_++]);
      counted_.add(event);
      return Step{.state = State::kEvent, .event = std::move(event)};
    }
    const Result<void> end = decoder_.finish();
    if (!end) return fail(end, source_->name() + " is cut off");
  }
}

// The source stays where it is when the feed is moved.
recorder::Unlock RecordingFeed::unlock() {
  return [source = source_.get()](const recorder::Opening& opening) { return source->unlock(opening); };
}

Result<void> RecordingFeed::rewind() {
  offset_ = 0;
  decoder_ = recorder::RecordingDecoder(unlock());
  counted_ = recorder::SummaryBuilder();
  salvaged_.clear();
  salvaged_given_ = 0;
  return {};
}

}  // namespace cairn::cli
