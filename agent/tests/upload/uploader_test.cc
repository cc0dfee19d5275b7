#include "agent/upload/uploader.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <functional>

#include <boost/asio/io_context.hpp>

#include "agent/tests/upload/fake_auth.h"
#include "agent/tests/upload/spool_fixture.h"
#include "recorder/recording_decoder.h"
#include "tests/support/faulty_disk.h"

namespace cairn::agent {
namespace {

using std::chrono::milliseconds;

class Uploading : public SpoolFixture {
 protected:
  ~Uploading() override { stop(); }

  void start() {
    KernelSessions kernel{.boot_id = kBootId,
                          .issued = [this](uint64_t key) -> Result<std::optional<uint64_t>> {
                            asked_.push_back(key);
                            return issued_;
                          },
                          .forget = [this](uint64_t key) -> Result<void> {
                            forgotten_.push_back(key);
                            return {};
                          }};
    io_.emplace();
    disk_.emplace(2);
    uploader_.emplace(io_->get_executor(), folder_, &auth_, std::move(kernel), &*disk_, &clock_, times_, limits_,
                      Log("uploader-test", LogLevel::kError));
    asio::co_spawn(*io_, uploader_->run(), or_die());
  }
  // As a crash does: nothing is told to anybody.
  void stop() {
    disk_.reset();
    uploader_.reset();
    io_.reset();
  }

  // Lets the uploader work until `holds` does.
  void until(const char* what, const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "waited for: " << what;
      io_->run_one_for(milliseconds(100));
    }
  }
  bool is_gone(const std::string& id) const { return !std::filesystem::exists(path_of(id)); }
  const FakeAuth::Stored& at_auth(const std::string& id) { return auth_.stored[id]; }

  recorder::End end_of(const std::string& recording) {
    recorder::RecordingDecoder decoder;
    decoder.feed(recording);
    recorder::End end;
    for (;;) {
      const Result<std::optional<recorder::Event>> event = decoder.next();
      EXPECT_TRUE(event) << event.error().message;
      if (!event || !event->has_value()) break;
      if ((*event)->has_end()) end = (*event)->end();
    }
    EXPECT_TRUE(decoder.is_complete());
    return end;
  }

  FakeAuth auth_;
  SystemClock clock_;
  // The sweep is too slow to be of help: what a test sees in time comes from the watch.
  UploadTimes times_{.sweep = milliseconds(60'000),
                     .first_retry = milliseconds(5),
                     .last_retry = milliseconds(20),
                     .refused_retry = milliseconds(50)};
  UploadLimits limits_;
  std::optional<uint64_t> issued_ = 0;
  std::vector<uint64_t> asked_;
  std::vector<uint64_t> forgotten_;
  std::optional<asio::io_context> io_;
  std::optional<Uploader> uploader_;
  std::optional<WorkPool> disk_;
  const std::string id_ = random_uuid();
};

TEST_F(Uploading, SendsASealedRecordingByteForByteAndDeletesIt) {
  const std::string whole = make_sealed(id_, 5);
  start();
  until("the file to be deleted", [&] { return is_gone(id_); });
  EXPECT_EQ(at_auth(id_).bytes, whole);
  EXPECT_TRUE(at_auth(id_).complete);
}

TEST_F(Uploading, FollowsALiveRecordingAndDeletesItAfterItsWorkerLetGo) {
  start();
  until("the first sweep", [&] { return uploader_->status().bytes == 0; });
  recorder::RecordingWriter writer = begin(id_);
  until("the beginning to be at auth", [&] { return at_auth(id_).chunks == 1; });
  for (uint64_t n = 1; n <= 3; n++) {
    add_chunk(writer, 10 * n);
    until("the next chunk to be at auth", [&] { return at_auth(id_).chunks == n + 1; });
  }
  EXPECT_EQ(uploader_->status().live_sessions, 1u);
  seal(writer, 100);
  until("the file to be deleted", [&] { return is_gone(id_); });
  EXPECT_TRUE(at_auth(id_).complete);
}

TEST_F(Uploading, KeepsAnAcknowledgedFileForAsLongAsItsWorkerHoldsIt) {
  const std::string whole = make_sealed(id_, 1);
  UniqueFd held(::open(path_of(id_).c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::flock(held.get(), LOCK_EX), 0);
  start();
  until("all of it to be at auth", [&] { return at_auth(id_).complete; });
  EXPECT_FALSE(is_gone(id_));
  held.reset();
  until("the file to be deleted", [&] { return is_gone(id_); });
}

TEST_F(Uploading, GoesOnAfterTheConnectionBrokeBeforeAChunkWasStored) {
  const std::string whole = make_sealed(id_, 5);
  auth_.cut_before = 2;
  start();
  until("the file to be deleted", [&] { return is_gone(id_); });
  EXPECT_EQ(at_auth(id_).bytes, whole);
}

TEST_F(Uploading, SendsNothingTwiceWhenOnlyTheAcknowledgementWasLost) {
  const std::string whole = make_sealed(id_, 5);
  auth_.cut_after = 2;
  start();
  until("the file to be deleted", [&] { return is_gone(id_); });
  EXPECT_EQ(at_auth(id_).bytes, whole);
  EXPECT_EQ(auth_.received.size(), at_auth(id_).chunks);
}

TEST_F(Uploading, DeletesAfterTheAcknowledgementOfTheFinalChunkWasLost) {
  make_sealed(id_, 1);
  auth_.cut_after = 2;  // the third chunk is the final one
  start();
  until("the file to be deleted", [&] { return is_gone(id_); });
  EXPECT_TRUE(at_auth(id_).complete);
}

TEST_F(Uploading, GoesOnWhereAKilledUploaderStood) {
  const std::string whole = make_sealed(id_, 20);
  start();
  until("some chunks to be at auth", [&] { return at_auth(id_).chunks >= 5; });
  ASSERT_FALSE(is_gone(id_));
  stop();
  start();
  until("the file to be deleted", [&] { return is_gone(id_); });
  EXPECT_EQ(at_auth(id_).bytes, whole);
}

TEST_F(Uploading, WaitsForAuthToComeUp) {
  make_sealed(id_, 1);
  auth_.is_down = true;
  start();
  until("some attempts", [&] { return uploader_->status().bytes > 0; });
  io_->run_for(milliseconds(60));
  EXPECT_FALSE(is_gone(id_));
  auth_.is_down = false;
  until("the file to be deleted", [&] { return is_gone(id_); });
}

TEST_F(Uploading, KeepsWhatAuthRefusesAndSendsTheOthers) {
  make_sealed(id_, 1);
  const std::string other = random_uuid();
  make_sealed(other, 1);
  auth_.denied.insert(id_);
  start();
  until("the other to be deleted", [&] { return is_gone(other); });
  until("it to be tried again", [&] { return auth_.refusals >= 2; });
  EXPECT_FALSE(is_gone(id_));
  auth_.denied.clear();
  until("it to be taken at last", [&] { return is_gone(id_); });
}

TEST_F(Uploading, TriesAgainWhenAuthHasNoRoom) {
  make_sealed(id_, 1);
  auth_.unavailable.insert(id_);
  start();
  until("two refusals", [&] { return auth_.refusals >= 2; });
  auth_.unavailable.clear();
  until("the file to be deleted", [&] { return is_gone(id_); });
}

TEST_F(Uploading, SendsLiveRecordingsBeforeTheBacklog) {
  for (int n = 0; n < 3; n++) make_sealed(random_uuid(), 10);
  recorder::RecordingWriter writer = begin(id_);
  add_chunk(writer, 10);
  start();
  until("the live one to be at auth", [&] { return at_auth(id_).chunks == 2; });
  EXPECT_EQ(auth_.received.size(), 2u) << "chunks of ended recordings went first";
}

TEST_F(Uploading, DrainsAWeekWithoutAuthInOrder) {
  constexpr int64_t kDayNs = 86'400'000'000'000;
  constexpr int64_t kSessions = 7 * 8;
  std::map<int64_t, std::string> by_begin;
  for (int64_t n = 0; n < kSessions; ++n) {
    const int64_t begun = 1'700'000'000'000'000'000 + n * kDayNs / 8;
    by_begin[begun] = random_uuid();
    make_sealed(by_begin[begun], static_cast<uint64_t>(n % 4), begun);
  }
  auth_.is_down = true;
  start();
  until("the first sweep", [&] { return uploader_->status().bytes > 0; });
  io_->run_for(milliseconds(30));
  // A session of now is not behind the week.
  recorder::RecordingWriter live = begin(id_);
  until("it to be seen", [&] { return uploader_->status().live_sessions == 1; });
  auth_.is_down = false;
  until("the spool to be drained",
        [&] { return std::ranges::all_of(by_begin, [&](const auto& each) { return is_gone(each.second); }); });
  // What was under way when auth came back was not called off for it.
  const auto of_now = std::ranges::find(auth_.received, std::pair<std::string, uint64_t>(id_, 0));
  EXPECT_LE(of_now - auth_.received.begin(), 1);
  if (of_now != auth_.received.end()) auth_.received.erase(of_now);
  std::vector<std::pair<std::string, uint64_t>> expected;
  int64_t n = 0;
  for (const auto& [begun, id] : by_begin) {
    for (uint64_t chunk = 0; chunk < static_cast<uint64_t>(n % 4) + 2; ++chunk) expected.emplace_back(id, chunk);
    ++n;
  }
  EXPECT_EQ(auth_.received, expected);
}

TEST_F(Uploading, TakesNoMoreOfTheLineThanItMayAndServesTheLivingFirst) {
  constexpr uint64_t kChunks = 20;
  constexpr size_t kNoiseBytes = 30'000;
  limits_.bytes_per_s = 1'000'000;
  const std::string backlog = random_uuid();
  {
    recorder::RecordingWriter writer = begin(backlog);
    for (uint64_t n = 1; n <= kChunks; n++) add_chunk(writer, 10 * n, kNoiseBytes);
    seal(writer, 10 * kChunks + 10);
  }
  const auto began = std::chrono::steady_clock::now();
  start();
  until("some of the backlog to be at auth", [&] { return at_auth(backlog).chunks >= 5; });
  recorder::RecordingWriter live = begin(id_);
  const uint64_t before = at_auth(backlog).chunks;
  until("the living to be at auth", [&] { return at_auth(id_).chunks == 1; });
  EXPECT_LE(at_auth(backlog).chunks, before + 1);
  until("the backlog to be at auth", [&] { return at_auth(backlog).complete; });
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  EXPECT_GE(took.count(), 0.95 * kChunks * kNoiseBytes / static_cast<double>(limits_.bytes_per_s));
}

// ---- recordings of dead workers

TEST_F(Uploading, ClosesTheRecordingOfADeadWorkerWithTheKernelsCount) {
  {
    recorder::RecordingWriter writer = begin(id_);
    add_chunk(writer, 10);
  }
  issued_ = 7;
  start();
  until("the file to be deleted", [&] { return is_gone(id_); });
  const recorder::End end = end_of(at_auth(id_).bytes);
  EXPECT_EQ(end.reason(), recording::v1::END_REASON_INTERRUPTED);
  EXPECT_EQ(end.kernel_issued(), 7u);
  EXPECT_EQ(end.kernel_missing(), 7u);
  EXPECT_EQ(asked_, std::vector<uint64_t>{kSessionKey});
  ASSERT_FALSE(forgotten_.empty());
  EXPECT_EQ(forgotten_.front(), kSessionKey);
}

TEST_F(Uploading, DoesNotAskTheKernelAboutASessionOfAnotherBoot) {
  {
    recorder::RecordingWriter writer = begin(id_, "00000000-0000-4000-8000-000000000000");
  }
  start();
  until("the file to be deleted", [&] { return is_gone(id_); });
  EXPECT_EQ(end_of(at_auth(id_).bytes).reason(), recording::v1::END_REASON_INTERRUPTED);
  EXPECT_TRUE(asked_.empty());
  EXPECT_TRUE(forgotten_.empty());
}

TEST_F(Uploading, CutsATornTailBeforeItCloses) {
  std::string torn = make_sealed(id_, 3);
  torn.resize(torn.size() - 11);
  write(id_, torn);
  start();
  until("the file to be deleted", [&] { return is_gone(id_); });
  EXPECT_EQ(end_of(at_auth(id_).bytes).reason(), recording::v1::END_REASON_INTERRUPTED);
}

TEST_F(Uploading, ClosesWhenAWorkerDiesWhileItIsFollowed) {
  times_.sweep = milliseconds(20);
  start();
  {
    recorder::RecordingWriter writer = begin(id_);
    until("the beginning to be at auth", [&] { return at_auth(id_).chunks == 1; });
  }
  until("the file to be deleted", [&] { return is_gone(id_); });
  EXPECT_EQ(end_of(at_auth(id_).bytes).reason(), recording::v1::END_REASON_INTERRUPTED);
}

// ---- damage

TEST_F(Uploading, SetsADamagedRecordingAsideAndSendsTheOthers) {
  std::string bytes = make_sealed(id_, 3);
  bytes[recorder::kChunkHeaderBytes + 5] = static_cast<char>(bytes[recorder::kChunkHeaderBytes + 5] ^ 1);
  write(id_, bytes);
  const std::string other = random_uuid();
  make_sealed(other, 1);
  start();
  until("both to be out of the way", [&] { return is_gone(id_) && is_gone(other); });
  EXPECT_TRUE(at_auth(other).complete);
  EXPECT_EQ(at_auth(id_).chunks, 0u);
  EXPECT_TRUE(std::filesystem::exists(path_of(id_).string() + ".corrupt"));
}

TEST_F(Uploading, SetsAFileWithoutAnyRecordingAside) {
  write(id_, "this is no recording, but it is longer than one header of a chunk would be: 64 bytes");
  start();
  until("it to be out of the way", [&] { return is_gone(id_); });
  EXPECT_TRUE(std::filesystem::exists(path_of(id_).string() + ".corrupt"));
}

TEST_F(Uploading, SetsARecordingAsideThatLacksWhatAuthHasOfIt) {
  make_sealed(id_, 1);
  auth_.stored[id_] = {.bytes = std::string(100'000, 'x'), .chunks = 50, .complete = false};
  start();
  until("it to be out of the way", [&] { return is_gone(id_); });
  EXPECT_TRUE(std::filesystem::exists(path_of(id_).string() + ".corrupt"));
}

TEST_F(Uploading, RemovesWhatADeadWorkerLeftBesideARecordingThatIsGone) {
  const std::filesystem::path tail = folder_ / (random_uuid() + ".tail");
  const std::filesystem::path half_made = folder_ / (random_uuid() + ".tail.Xy12Zq");
  for (const std::filesystem::path& each : {tail, half_made}) ASSERT_TRUE(write_file_atomically(each, "x", 0600));
  make_sealed(id_, 1);
  auth_.is_down = true;
  const std::filesystem::path needed = folder_ / (id_ + ".tail");
  ASSERT_TRUE(std::filesystem::exists(needed));
  start();
  until("both to be gone", [&] { return !std::filesystem::exists(tail) && !std::filesystem::exists(half_made); });
  EXPECT_TRUE(std::filesystem::exists(needed));
}

TEST_F(Uploading, LeavesFilesOfOtherNamesAlone) {
  const std::filesystem::path foreign = folder_ / "notes.rec";
  ASSERT_TRUE(write_file_atomically(foreign, "mine", 0600));
  make_sealed(id_, 1);
  start();
  until("the recording to be deleted", [&] { return is_gone(id_); });
  EXPECT_TRUE(std::filesystem::exists(foreign));
}

// ---- a disk that fails at each of the uploader's operations in turn

struct Harm {
  DiskFault fault;
  bool lasts;  // until it has struck a few times, not once
};
class FaultySpoolFolder : public Uploading, public testing::WithParamInterface<Harm> {};

TEST_P(FaultySpoolFolder, IsEmptiedAllTheSameAndNothingIsLostOrSetAside) {
  constexpr uint64_t kStrikes = 4;
  times_.sweep = times_.refused_retry = milliseconds(5);
  uint64_t runs = 0;
  for (uint64_t nth = 1; !HasFailure(); ++nth) {
    const std::string sealed = random_uuid();
    const std::string abandoned = random_uuid();
    const std::string whole = make_sealed(sealed, 2);
    {
      recorder::RecordingWriter writer = begin(abandoned);
      add_chunk(writer, 10);
    }
    const std::string begun = bytes_of(abandoned);
    FaultyDisk disk(folder_, FaultyDisk::Memory::kNone);
    disk.fail(GetParam().fault, nth, GetParam().lasts ? UINT64_MAX : 0);
    issued_ = 7;
    start();
    until("the spool to be empty", [&] {
      if (disk.failures() >= kStrikes) disk.heal();
      return is_gone(sealed) && is_gone(abandoned);
    });
    const bool has_met_none = disk.operations() < nth;
    stop();
    SCOPED_TRACE(testing::Message() << "operation " << nth << ", " << disk.first_failure());
    EXPECT_EQ(at_auth(sealed).bytes, whole);
    EXPECT_TRUE(at_auth(abandoned).complete);
    EXPECT_TRUE(at_auth(abandoned).bytes.starts_with(begun));
    EXPECT_EQ(end_of(at_auth(abandoned).bytes).kernel_missing(), 7U);
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      EXPECT_NE(entry.path().extension(), ".corrupt") << entry.path();
    if (has_met_none) break;
    ++runs;
  }
  EXPECT_GT(runs, 0U) << "no fault was met";
}

std::vector<Harm> all_harm() {
  std::vector<Harm> all;
  for (const DiskFault fault : kAllDiskFaults) {
    for (const bool lasts : {false, true}) all.push_back({fault, lasts});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(EachWay, FaultySpoolFolder, testing::ValuesIn(all_harm()), [](const auto& info) {
  return fmt::format("{}_{}", name_of(info.param.fault), info.param.lasts ? "lasting" : "once");
});

}  // namespace
}  // namespace cairn::agent
