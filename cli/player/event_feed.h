#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "proto/recording.pb.h"
#include "recorder/derive/derived_lookup.h"
#include "recorder/derive/deriver.h"

namespace cairn::cli {

// The events of one recording, in the order of the file.
class EventFeed {
 public:
  enum class State {
    kEvent,    // `event` is the next one
    kWaiting,  // the session lives and has recorded no more within the wait
    kEnd,      // the recording is complete, its last event has been given
  };
  struct Step {
    State state = State::kEnd;
    recording::v1::Event event;
  };

  virtual ~EventFeed() = default;
  // Blocks for at most `wait` for more of a live recording (plus what a file or a network takes).
  //   fails  kTruncated: the recording is cut off here, all before it has been given; kCorrupt: names chunk and offset;
  //          anything else: the source cannot be read.
  virtual Result<Step> next(std::chrono::milliseconds wait) = 0;
  // Back to the first event.
  virtual Result<void> rewind() = 0;

  // Goes on as shortly before a moment as is known, without the beginning.
  //   at_ns    since the recording's beginning, whose event has been given
  //   returns  the terminal and the channels there; nullopt: nothing is known, and nothing has changed
  virtual Result<std::optional<recorder::Keyframe>> jump(uint64_t /*at_ns*/) {
    return std::optional<recorder::Keyframe>();
  }
  // When the command was started that a step leads to.
  //   returns  since the recording's beginning; nullopt: none is known
  virtual std::optional<uint64_t> find_command(uint64_t /*at_ns*/, recorder::Step /*step*/) { return std::nullopt; }
};

}  // namespace cairn::cli
