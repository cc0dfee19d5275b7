#pragma once

#include <memory>

#include "cli/player/event_feed.h"
#include "cli/player/recording_source.h"
#include "recorder/recording_decoder.h"
#include "recorder/summary.h"

namespace cairn::cli {

// Decodes a source's bytes as they come, in bounded memory, and counts what it has given.
class RecordingFeed final : public EventFeed {
 public:
  explicit RecordingFeed(std::unique_ptr<RecordingSource> source) : source_(std::move(source)), decoder_(unlock()) {}

  Result<Step> next(std::chrono::milliseconds wait) override;
  Result<void> rewind() override;

  // Of the events given since the last rewind.
  recorder::Summary summary() const { return counted_.finish(decoder_); }
  const RecordingSource& source() const { return *source_; }

 private:
  recorder::Unlock unlock();

  std::unique_ptr<RecordingSource> source_;
  uint64_t offset_ = 0;
  recorder::RecordingDecoder decoder_;
  recorder::SummaryBuilder counted_;
  recorder::Events salvaged_;  // of a torn last chunk, from salvaged_given_ on
  size_t salvaged_given_ = 0;
};

}  // namespace cairn::cli
