#include "agent/session/session_recorder.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include "agent/tests/supervisor/temporary_folder.h"
#include "base/bytes.h"
#include "base/file.h"
#include "recorder/recording_decoder.h"
#include "tests/support/faulty_disk.h"

namespace cairn::agent {
namespace {

using recording::v1::Event;

// The system's, whose wall clock can be set.
class SettableClock final : public Clock {
 public:
  uint64_t boot_ns() const override { return system_.boot_ns(); }
  uint64_t mono_ns() const override { return system_.mono_ns(); }
  int64_t wall_ns() const override { return system_.wall_ns() + step_ns; }

  std::atomic<int64_t> step_ns = 0;

 private:
  SystemClock system_;
};

class Recorder : public testing::Test {
 protected:
  std::unique_ptr<SessionRecorder> make(uint64_t quota_bytes,
                                        std::optional<std::chrono::milliseconds> hold_limit = {}) {
    recording::v1::Begin begin;
    begin.set_session_id(random_uuid());
    const recorder::ClockAnchor now(clock_.boot_ns(), clock_.mono_ns(), clock_.wall_ns());
    auto writer = recorder::RecordingWriter::create(path(), begin, now, {.quota_bytes = quota_bytes});
    EXPECT_TRUE(writer) << writer.error().message;
    return std::make_unique<SessionRecorder>(
        std::move(*writer), &clock_, [this] { ++wakes_; }, Log("test", LogLevel::kError), hold_limit);
  }
  std::filesystem::path path() const { return folder_.path() / "session.rec"; }
  Event output(size_t bytes) const {
    Event event;
    event.set_boot_ns(clock_.boot_ns());
    event.mutable_output()->set_stream(recording::v1::STREAM_STDOUT);
    event.mutable_output()->set_data(random_bytes(bytes));
    return event;
  }
  std::vector<Event> events() const {
    std::vector<Event> all;
    recorder::RecordingDecoder decoder;
    const auto bytes = read_file(path(), size_t{1} << 30);
    decoder.feed(*bytes);
    for (auto event = decoder.next(); event && event->has_value(); event = decoder.next()) all.push_back(**event);
    EXPECT_TRUE(decoder.is_complete());
    return all;
  }

  TemporaryFolder folder_;
  SettableClock clock_;
  std::atomic<int> wakes_ = 0;
};

TEST_F(Recorder, StoresEveryByteThoughItsQueueOverflows) {
  const auto recorder = make(uint64_t{1} << 30);
  constexpr size_t kPieces = 1000;
  const Event piece = output(32768);  // one for all: making noise takes longer than storing it
  bool was_full = false;
  for (size_t i = 0; i < kPieces; ++i) {
    recorder->add(piece);
    was_full = was_full || !recorder->has_room();
  }
  EXPECT_TRUE(was_full);
  EXPECT_TRUE(recorder->await_room(std::chrono::seconds(30)));
  ASSERT_TRUE(recorder->seal(recording::v1::END_REASON_COMPLETE, 0, std::chrono::seconds(1)));
  EXPECT_GT(wakes_, 0);
  EXPECT_EQ(events().back().end().output_bytes(), kPieces * 32768);
}

TEST_F(Recorder, LetsOutputPassWhileTheKernelsEventsWait) {
  const auto recorder = make(uint64_t{1} << 30);
  Event exec;
  exec.set_boot_ns(clock_.boot_ns());
  exec.mutable_exec()->add_argv(std::string(4096, 'x'));
  size_t added = 0;
  for (; added < 2 * SessionRecorder::kKernelQueueBytes; added += 4096) {
    recorder->add(exec);
    ASSERT_TRUE(recorder->has_room()) << added << " bytes of the kernel's hold the terminal up";
  }
  EXPECT_TRUE(recorder->await_room(std::chrono::seconds(30)));
}

TEST_F(Recorder, AccountsForWhatASpoolThatIsFullCouldNotTake) {
  const auto recorder = make(200'000);
  constexpr size_t kPieces = 800;
  for (size_t i = 0; i < kPieces; ++i) {
    recorder->add(output(32768));
    while (!recorder->has_room()) recorder->await_room(std::chrono::milliseconds(1));
  }
  ASSERT_TRUE(recorder->seal(recording::v1::END_REASON_COMPLETE, 0, std::chrono::seconds(1)));
  EXPECT_FALSE(recorder->failure());
  uint64_t stored = 0;
  uint64_t lost = 0;
  for (const Event& event : events()) {
    stored += event.output().data().size();
    if (event.has_gap()) lost += event.gap().output_bytes();
  }
  EXPECT_GT(lost, 0U);
  EXPECT_EQ(stored + lost, kPieces * 32768);
}

// More than the spool and the memory for what waits take together.
constexpr size_t kFloodPieces = 400;

// A program that writes as long as it may.
void flood(SessionRecorder& recorder, const std::function<Event()>& output) {
  for (size_t i = 0; i < kFloodPieces; ++i) {
    recorder.add(output());
    while (!recorder.has_room() && !recorder.failure()) recorder.await_room(std::chrono::milliseconds(1));
  }
}

TEST_F(Recorder, HoldsASessionThatMayLoseNothingUntilItsSpoolHasRoom) {
  FaultyDisk disk(folder_.path(), FaultyDisk::Memory::kNone);
  const auto recorder = make(uint64_t{1} << 30, std::chrono::minutes(1));
  disk.fail(DiskFault::kShortThenFull, 40, UINT64_MAX);
  std::thread relief([&] {
    while (!recorder->is_held() && !recorder->failure()) std::this_thread::yield();
    EXPECT_FALSE(recorder->has_room());
    EXPECT_FALSE(recorder->await_room(std::chrono::milliseconds(1)));
    disk.heal();
  });
  flood(*recorder, [this] { return output(32768); });
  relief.join();
  ASSERT_TRUE(recorder->seal(recording::v1::END_REASON_COMPLETE, 0, std::chrono::seconds(1)));
  EXPECT_FALSE(recorder->failure());
  const std::vector<Event> all = events();
  EXPECT_TRUE(std::ranges::none_of(all, [](const Event& event) { return event.has_gap(); }));
  EXPECT_EQ(all.back().end().output_bytes(), kFloodPieces * 32768);
}

TEST_F(Recorder, EndsASessionThatMayLoseNothingWhenItsSpoolStaysFull) {
  const auto recorder = make(uint64_t{4} << 20, std::chrono::milliseconds(300));
  size_t added = 0;
  while (!recorder->failure()) {
    recorder->add(output(32768));
    ++added;
    while (!recorder->has_room() && !recorder->failure()) recorder->await_room(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(recorder->failure()->code, Errc::kSpoolFull);
  ASSERT_TRUE(recorder->seal(recording::v1::END_REASON_COMPLETE, 0, std::chrono::seconds(1)));
  uint64_t stored = 0;
  uint64_t lost = 0;
  for (const Event& event : events()) {
    stored += event.output().data().size();
    if (event.has_gap()) lost += event.gap().output_bytes();
  }
  EXPECT_EQ(stored + lost, added * 32768) << "what is not there is on record";
}

TEST_F(Recorder, EndsASessionWhoseDiskRefusesWhateverItsPolicy) {
  for (const auto hold_limit : {std::optional<std::chrono::milliseconds>(), {std::chrono::minutes(1)}}) {
    std::filesystem::remove_all(folder_.path());
    std::filesystem::create_directory(folder_.path());
    FaultyDisk disk(folder_.path(), FaultyDisk::Memory::kNone);
    const auto recorder = make(uint64_t{1} << 30, hold_limit);
    disk.fail(DiskFault::kIoError, 10, UINT64_MAX);
    flood(*recorder, [this] { return output(32768); });
    while (!recorder->failure()) std::this_thread::yield();
    EXPECT_EQ(recorder->failure()->code, std::errc::io_error);
    EXPECT_FALSE(recorder->is_held());
    const auto sealed = recorder->seal(recording::v1::END_REASON_COMPLETE, 0, std::chrono::seconds(1));
    EXPECT_EQ(sealed.error().code, std::errc::io_error);
  }
}

TEST_F(Recorder, SaysThatTheClockWasSetAndKeepsTheOrder) {
  constexpr int64_t kDayNs = 86'400'000'000'000;
  const auto recorder = make(uint64_t{1} << 30);
  recorder->add(output(10));
  clock_.step_ns = -kDayNs;
  recorder->add(output(10));
  ASSERT_TRUE(recorder->seal(recording::v1::END_REASON_COMPLETE, 0, std::chrono::seconds(1)));
  const std::vector<Event> all = events();
  EXPECT_TRUE(std::ranges::is_sorted(all, {}, [](const Event& event) { return event.boot_ns(); }));
  const auto step = std::ranges::find_if(all, [](const Event& event) { return event.has_clock_step(); });
  ASSERT_NE(step, all.end());
  EXPECT_NEAR(static_cast<double>(step->clock_step().step_ns()), -static_cast<double>(kDayNs), 1e8);
}

TEST_F(Recorder, IsCompleteThoughItRestedInBetween) {
  const auto recorder = make(uint64_t{1} << 30);
  ASSERT_TRUE(recorder->seal(recording::v1::END_REASON_COMPLETE, 0, std::chrono::seconds(1)));
  EXPECT_EQ(events().size(), 2U);
}

}  // namespace
}  // namespace cairn::agent
