#pragma once

#include <optional>
#include <vector>

#include "cli/player/event_feed.h"

namespace cairn::cli {

// A recording's events with those of the host's ledger among them, by their time; the ledger's up to kGrace behind the
// recording's last one.
class HostFeed final : public EventFeed {
 public:
  static constexpr std::chrono::seconds kGrace{60};

  //   recording  outlives it
  //   ledger     of kind host_exec, ascending by boot_ns
  HostFeed(EventFeed* recording, std::vector<recording::v1::Event> ledger)
      : recording_(recording), ledger_(std::move(ledger)) {}

  Result<Step> next(std::chrono::milliseconds wait) override;
  Result<void> rewind() override;
  Result<std::optional<recorder::Keyframe>> jump(uint64_t at_ns) override;
  std::optional<uint64_t> find_command(uint64_t at_ns, recorder::Step step) override {
    return recording_->find_command(at_ns, step);
  }

 private:
  std::optional<Step> from_ledger(uint64_t until_boot_ns);

  EventFeed* recording_;
  std::vector<recording::v1::Event> ledger_;
  size_t shown_ = 0;           // of ledger_
  std::optional<Step> held_;   // the recording's next step, while the ledger's come first
  uint64_t last_boot_ns_ = 0;  // of the recording
};

}  // namespace cairn::cli
