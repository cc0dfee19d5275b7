#include "cli/player/recording_feed.h"

#include <algorithm>
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
    Result<RecordingSource::Piece> piece =
        source_->read(place_, next_read_bytes_, is_complete ? std::chrono::milliseconds(0) : wait);
    if (!piece) return fail(piece);
    if (!piece->bytes.empty() || !piece->tail.empty()) {
      next_read_bytes_ = std::min(next_read_bytes_ * 2, RecordingSource::kMaxPieceBytes);
      place_.offset += piece->bytes.size();
      if (std::exchange(place_.tail_chunk, piece->tail_chunk) != piece->tail_chunk) place_.tail_bytes = 0;
      place_.tail_bytes += piece->tail.size();
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

void RecordingFeed::begin_at(uint64_t offset) {
  place_ = {.offset = offset, .tail_chunk = 0, .tail_bytes = 0};
  next_read_bytes_ = kFirstReadBytes;
  salvaged_.clear();
  salvaged_given_ = 0;
}

Result<void> RecordingFeed::rewind() {
  begin_at(0);
  decoder_ = recorder::RecordingDecoder(unlock());
  counted_ = recorder::SummaryBuilder();
  has_jumped_ = false;
  return {};
}

// Whoever does not know the way may still play; why is told by whoever searches.
std::optional<recorder::Moment> RecordingFeed::find(uint64_t at_ns, recorder::Step step) {
  Result<std::optional<recorder::Moment>> known = source_->find(at_ns, step);
  if (known) return std::move(*known);
  if (local_ == nullptr) return std::nullopt;
  if (!derived_) {
    Result<recorder::Derived> derived = local_->read(*source_, 0);
    if (!derived) return std::nullopt;
    derived_.emplace(std::move(*derived));
  }
  Result<std::optional<recorder::Moment>> found = recorder::find_moment(derived_->file, at_ns, step);
  return found ? std::move(*found) : std::nullopt;
}

Result<std::optional<recorder::Keyframe>> RecordingFeed::jump(uint64_t at_ns) {
  const std::optional<recorder::Moment> moment = find(at_ns, recorder::Step::kHere);
  if (!moment) return std::optional<recorder::Keyframe>();
  Result<recorder::Keyframe> keyframe = recorder::read_keyframe(moment->keyframe);
  if (!keyframe) return std::optional<recorder::Keyframe>();
  begin_at(moment->offset);
  decoder_.jump(moment->chunk, moment->offset);
  has_jumped_ = true;
  return std::optional(std::move(*keyframe));
}

std::optional<uint64_t> RecordingFeed::find_command(uint64_t at_ns, recorder::Step step) {
  const std::optional<recorder::Moment> moment = find(at_ns, step);
  return moment ? std::optional(moment->at_ns) : std::nullopt;
}

}  // namespace cairn::cli
