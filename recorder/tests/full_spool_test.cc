#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <random>

#include "recorder/summary.h"
#include "recorder/tests/test_recording.h"

namespace cairn::recorder {
namespace {

using FullSpool = RecordingFolder;
using recording::v1::END_REASON_COMPLETE;

std::string noise(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

TEST_F(FullSpool, WritesNothingBeyondTheQuotaAndKeepsWhatWaits) {
  RecordingWriter writer = make_writer({.quota_bytes = 1000});
  writer.add(make_output(kStartNs, noise(5000, 1)));
  const uint64_t before = writer.bytes();
  EXPECT_EQ(code_of(writer.flush_all(kStartNs)), Errc::kSpoolFull);
  EXPECT_EQ(writer.bytes(), before);
  EXPECT_EQ(std::filesystem::file_size(path_), before);
  writer.set_quota(kPlenty);
  ASSERT_TRUE(writer.flush_all(kStartNs));
  ASSERT_TRUE(writer.seal(END_REASON_COMPLETE, 0, kStartNs + 1));
  const Summary summary = summarize(path_).value();
  EXPECT_EQ(summary.totals.output_bytes, 5000u);
  EXPECT_EQ(summary.gaps, 0u);
}

TEST_F(FullSpool, OwnsToAllThatItDropped) {
  RecordingWriter writer = make_writer({.quota_bytes = 2000});
  const uint64_t events = 3000;
  for (uint64_t n = 1; n <= events; ++n) {
    writer.add(make_exec(kStartNs + n * kMs, n));
    writer.add(make_output(kStartNs + n * kMs, noise(10'000, static_cast<unsigned>(n))));
    if (n % 100 == 0 && n > 200) EXPECT_EQ(code_of(writer.flush(kStartNs + n * kMs)), Errc::kSpoolFull);
  }
  EXPECT_GT(writer.kernel_missing(), 0u) << "30 MB do not fit into the memory that may wait";
  writer.set_quota(kPlenty);
  ASSERT_TRUE(writer.flush(kStartNs + (events + 200) * kMs));
  ASSERT_TRUE(writer.seal(END_REASON_COMPLETE, events, kStartNs + (events + 300) * kMs));

  const Summary summary = summarize(path_).value();
  EXPECT_EQ(summary.findings, std::vector<std::string>());
  EXPECT_TRUE(summary.is_accounted);
  EXPECT_EQ(summary.kernel_stored + summary.kernel_missing, events);
  EXPECT_GT(summary.kernel_stored, 0u);
  EXPECT_EQ(summary.totals.output_bytes + summary.missing_output_bytes, events * 10'000);
  for (const Event& event : play(contents(path_)).events) {
    if (event.has_gap()) EXPECT_EQ(event.gap().reason(), recording::v1::GAP_REASON_SPOOL_FULL);
  }
}

TEST_F(FullSpool, SealsWithTheGapThoughTheQuotaIsSpent) {
  RecordingWriter writer = make_writer({.quota_bytes = 500});
  for (uint64_t n = 1; n <= 50; ++n) writer.add(make_exec(kStartNs + n, n, noise(200, static_cast<unsigned>(n))));
  writer.add(make_output(kStartNs, noise(5000, 1)));
  ASSERT_TRUE(writer.seal(END_REASON_COMPLETE, 51, kStartNs + 100));
  const Summary summary = summarize(path_).value();
  EXPECT_TRUE(summary.is_accounted);
  EXPECT_EQ(summary.kernel_missing, 51u);
  EXPECT_EQ(summary.missing_output_bytes, 5000u);
  EXPECT_EQ(summary.findings, std::vector<std::string>());
}

// The limit of all recordings together is somebody else's, who says when there is room again.
TEST_F(FullSpool, WaitsForRoomThatOthersHaveTaken) {
  bool has_room = false;
  uint64_t asked_bytes = 0;
  RecordingOptions options;
  options.claim_room = [&](uint64_t held_bytes, uint64_t more_bytes) -> Result<void> {
    asked_bytes = held_bytes + more_bytes;
    if (has_room || held_bytes == 0) return {};
    return fail(Errc::kSpoolFull, "others have taken it");
  };
  RecordingWriter writer = make_writer(std::move(options));
  writer.add(make_exec(kStartNs, 1));
  writer.add(make_output(kStartNs, noise(5000, 1)));
  EXPECT_EQ(code_of(writer.flush_all(kStartNs)), Errc::kSpoolFull);
  EXPECT_GT(asked_bytes, writer.bytes());
  has_room = true;
  ASSERT_TRUE(writer.flush_all(kStartNs));
  writer.add(make_output(kStartNs + 1, noise(100, 2)));
  has_room = false;
  ASSERT_TRUE(writer.seal(END_REASON_COMPLETE, 1, kStartNs + 1)) << "what ends a recording is not asked for";
  const Summary summary = summarize(path_).value();
  EXPECT_TRUE(summary.is_accounted);
  EXPECT_EQ(summary.totals.output_bytes + summary.missing_output_bytes, 5100u);
}

TEST_F(FullSpool, BeginsNoRecordingWhereThereIsNoRoom) {
  RecordingOptions options;
  options.claim_room = [](uint64_t, uint64_t) -> Result<void> {
    return fail(Errc::kSpoolFull, "others have taken it");
  };
  const auto writer = RecordingWriter::create(path_, make_begin(), kStartNs, std::move(options));
  EXPECT_EQ(code_of(writer), Errc::kSpoolFull);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

// RLIMIT_FSIZE stands for any refusal of the disk that is not want of room.
TEST_F(FullSpool, GoesReadOnlyWhenTheDiskRefuses) {
  RecordingWriter writer = make_writer();
  ASSERT_NE(::signal(SIGXFSZ, SIG_IGN), SIG_ERR);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{.rlim_cur = 4096, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  writer.add(make_output(kStartNs, noise(20'000, 1)));
  const Result<void> refused = writer.flush_all(kStartNs);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);

  ASSERT_FALSE(refused);
  EXPECT_EQ(code_of(refused), std::errc::file_too_large);
  EXPECT_EQ(writer.flush(kStartNs + 9000 * kMs).error().message, refused.error().message) << "read-only for good";
  EXPECT_FALSE(writer.seal(END_REASON_COMPLETE, 0, kStartNs));
  {
    const RecordingWriter gone = std::move(writer);
  }
  ASSERT_TRUE(close_interrupted(path_, kStartNs + 1, "", 0));
  EXPECT_TRUE(summarize(path_).value().is_complete);
}

TEST_F(FullSpool, GoesOnWhenAFullDiskHasRoomAgain) {
  if (::mount("tmpfs", folder_.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=1m") != 0) {
    GTEST_SKIP() << "no tmpfs can be mounted here: " << std::strerror(errno);
  }
  {
    const std::filesystem::path other = folder_ / "other";
    RecordingWriter writer = make_writer();
    std::ofstream(other) << noise(900'000, 2);
    writer.add(make_exec(kStartNs, 1));
    writer.add(make_output(kStartNs, noise(150'000, 1)));
    EXPECT_EQ(code_of(writer.flush_all(kStartNs)), Errc::kSpoolFull);
    EXPECT_EQ(std::filesystem::file_size(path_), writer.bytes()) << "a piece of the chunk stayed behind";
    std::filesystem::remove(other);
    EXPECT_TRUE(writer.flush_all(kStartNs));
    EXPECT_TRUE(writer.seal(END_REASON_COMPLETE, 1, kStartNs + 1));
    EXPECT_TRUE(summarize(path_).value().is_sequence_complete);
    EXPECT_EQ(summarize(path_).value().totals.output_bytes, 150'000u);
  }
  EXPECT_EQ(::umount(folder_.c_str()), 0);
}

// Nobody would ever make room: only a recording that has ended can leave.
TEST_F(FullSpool, SealsARecordingThatHasFilledTheDiskAlone) {
  if (::mount("tmpfs", folder_.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=2m") != 0) {
    GTEST_SKIP() << "no tmpfs can be mounted here: " << std::strerror(errno);
  }
  {
    RecordingOptions options;
    options.signer.emplace(Ed25519Key::generate(), "a certificate");
    RecordingWriter writer = make_writer(std::move(options));
    constexpr uint64_t kRounds = 200;
    constexpr size_t kRoundBytes = 100'000;
    bool was_full = false;
    for (uint64_t n = 1; n <= kRounds; ++n) {
      writer.add(make_exec(kStartNs + n * 600 * kMs, n));
      writer.add(make_output(kStartNs + n * 600 * kMs, noise(kRoundBytes, static_cast<unsigned>(n))));
      const Result<void> flushed = writer.flush_all(kStartNs + n * 600 * kMs);
      was_full = was_full || code_of(flushed) == Errc::kSpoolFull;
    }
    EXPECT_TRUE(was_full);
    const Result<void> sealed = writer.seal(END_REASON_COMPLETE, kRounds, kStartNs + (kRounds + 1) * 600 * kMs);
    EXPECT_TRUE(sealed) << sealed.error().message;
    const Summary summary = summarize(path_).value();
    EXPECT_TRUE(summary.is_complete);
    EXPECT_TRUE(summary.is_accounted);
    EXPECT_EQ(summary.totals.output_bytes + summary.missing_output_bytes, kRounds * kRoundBytes);
  }
  EXPECT_EQ(::umount(folder_.c_str()), 0);
}

}  // namespace
}  // namespace cairn::recorder
