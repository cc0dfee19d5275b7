// The host's ledger among a recording's events.
#include "cli/player/host_feed.h"

#include <deque>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn::cli {
namespace {

using recording::v1::Event;

constexpr std::chrono::milliseconds kNoWait{0};
constexpr uint64_t kNsPerS = 1'000'000'000;

Event at(uint64_t boot_s) {
  Event event;
  event.set_boot_ns(boot_s * kNsPerS);
  return event;
}
Event host_at(uint64_t boot_s) {
  Event event = at(boot_s);
  event.mutable_host_exec()->set_command("job");
  return event;
}
Event begin_at(uint64_t boot_s) {
  Event event = at(boot_s);
  event.mutable_begin();
  return event;
}

class FixedFeed final : public EventFeed {
 public:
  explicit FixedFeed(std::vector<Step> steps) : steps_(std::move(steps)) {}
  Result<Step> next(std::chrono::milliseconds) override {
    return next_ < steps_.size() ? steps_[next_++] : Step{.state = State::kEnd, .event = {}};
  }
  Result<void> rewind() override {
    next_ = 0;
    return {};
  }

 private:
  std::vector<Step> steps_;
  size_t next_ = 0;
};

EventFeed::Step step(Event event) { return {.state = EventFeed::State::kEvent, .event = std::move(event)}; }

// "r5" for the recording's at second 5, "h5" for the ledger's, "w" for waiting.
std::vector<std::string> all(EventFeed& feed) {
  std::vector<std::string> seen;
  for (;;) {
    const EventFeed::Step next = *feed.next(kNoWait);
    if (next.state == EventFeed::State::kEnd) return seen;
    seen.push_back(next.state == EventFeed::State::kWaiting
                       ? "w"
                       : (next.event.has_host_exec() ? "h" : "r") + std::to_string(next.event.boot_ns() / kNsPerS));
  }
}

TEST(HostFeed, PutsTheLedgerBetweenTheRecordingsEventsByTime) {
  FixedFeed recording({step(begin_at(10)), step(at(20)), step(at(30))});
  HostFeed feed(&recording, {host_at(9), host_at(15), host_at(20), host_at(25)});
  const std::vector<std::string> expected = {"r10", "h9", "h15", "h20", "r20", "h25", "r30"};
  EXPECT_EQ(all(feed), expected);
  ASSERT_TRUE(feed.rewind());
  EXPECT_EQ(all(feed), expected);
}

TEST(HostFeed, GoesAMinuteBeyondTheRecordingsEnd) {
  FixedFeed recording({step(begin_at(10)), step(at(20))});
  HostFeed feed(&recording, {host_at(21), host_at(80), host_at(81)});
  EXPECT_THAT(all(feed), testing::ElementsAre("r10", "r20", "h21", "h80"));
}

TEST(HostFeed, WaitsWithALiveRecording) {
  FixedFeed recording({step(begin_at(10)), {.state = EventFeed::State::kWaiting, .event = {}}, step(at(20))});
  HostFeed feed(&recording, {host_at(15)});
  EXPECT_THAT(all(feed), testing::ElementsAre("r10", "w", "h15", "r20"));
}

}  // namespace
}  // namespace cairn::cli
