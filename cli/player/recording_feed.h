#pragma once

#include <memory>

#include "cli/player/event_feed.h"
#include "cli/player/local_derivation.h"
#include "cli/player/recording_source.h"
#include "recorder/recording_decoder.h"
#include "recorder/summary.h"

namespace cairn::cli {

// Decodes a source's bytes as they come, in bounded memory, and counts what it has given.
class RecordingFeed final : public EventFeed {
 public:
  //   local  for what the source does not know the way to; outlives the feed. nullptr: then there is none
  explicit RecordingFeed(std::unique_ptr<RecordingSource> source, const LocalDerivation* local = nullptr)
      : source_(std::move(source)), local_(local), decoder_(unlock()) {}

  Result<Step> next(std::chrono::milliseconds wait) override;
  Result<void> rewind() override;
  Result<std::optional<recorder::Keyframe>> jump(uint64_t at_ns) override;
  std::optional<uint64_t> find_command(uint64_t at_ns, recorder::Step step) override;

  // It has left events out since the last rewind.
  bool has_jumped() const { return has_jumped_; }
  // Of the events given since the last rewind.
  recorder::Summary summary() const { return counted_.finish(decoder_); }
  const RecordingSource& source() const { return *source_; }

 private:
  // Who looks at one moment reads little more than its chunk; who plays on, in larger pieces.
  static constexpr size_t kFirstReadBytes = 32 << 10;

  recorder::Unlock unlock();
  std::optional<recorder::Moment> find(uint64_t at_ns, recorder::Step step);
  void begin_at(uint64_t offset);

  std::unique_ptr<RecordingSource> source_;
  const LocalDerivation* local_;
  std::optional<recorder::Derived> derived_;  // here
  ReadPlace place_;
  size_t next_read_bytes_ = kFirstReadBytes;
  bool has_jumped_ = false;
  recorder::RecordingDecoder decoder_;
  recorder::SummaryBuilder counted_;
  recorder::Events salvaged_;  // of a torn last chunk, from salvaged_given_ on
  size_t salvaged_given_ = 0;
};

}  // namespace cairn::cli
