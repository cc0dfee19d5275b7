// The limits of a host's spool, as several who write side by side keep to them.
#include "agent/session/spool_room.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <numeric>
#include <vector>

#include "base/file.h"
#include "base/unique_fd.h"

namespace cairn::agent {
namespace {

using testing::HasSubstr;

constexpr uint64_t kMiB = 1 << 20;

class TurnedClock final : public Clock {
 public:
  uint64_t boot_ns() const override { return now_ns_; }
  int64_t wall_ns() const override { return 0; }
  void advance(std::chrono::nanoseconds by) { now_ns_ += static_cast<uint64_t>(by.count()); }

 private:
  uint64_t now_ns_ = 1;
};

class SpoolOfAHost : public testing::Test {
 protected:
  SpoolOfAHost() {
    std::string name = testing::TempDir() + "cairn-room-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~SpoolOfAHost() override { std::filesystem::remove_all(folder_); }

  // A file that takes so much of the disk.
  void take(const std::string& name, uint64_t bytes) {
    const UniqueFd file(::open((folder_ / name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_TRUE(file);
    ASSERT_EQ(::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes)), 0);
  }
  // A recording that is being written.
  void begin(const std::string& id, uint64_t bytes) {
    take(id + ".rec", bytes);
    take(id + ".tail", 4096);
  }
  uint64_t free_on_disk() const {
    struct statvfs status{};
    EXPECT_EQ(::statvfs(folder_.c_str(), &status), 0);
    return status.f_bavail * status.f_frsize;
  }
  SpoolRoom room(SpoolLimits limits) { return SpoolRoom(folder_, limits, &clock_); }

  std::filesystem::path folder_;
  TurnedClock clock_;
};

TEST_F(SpoolOfAHost, WithoutLimitsHasRoom) {
  SpoolRoom room(folder_ / "gone", {}, &clock_);
  EXPECT_TRUE(room.claim(0, UINT64_MAX));
}

TEST_F(SpoolOfAHost, IsFullWhenAllTogetherTakeTheTotal) {
  take("backlog.rec", 6 * kMiB);
  begin("mine", kMiB);
  SpoolRoom mine = room({.total_bytes = 10 * kMiB});
  EXPECT_TRUE(mine.claim(kMiB, 2 * kMiB));
  const Result<void> refused = mine.claim(kMiB, 4 * kMiB);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kSpoolFull);
  EXPECT_THAT(refused.error().message, HasSubstr("spool_total_bytes"));
}

TEST_F(SpoolOfAHost, WaitsASecondBeforeItLooksAgainForRoom) {
  take("backlog.rec", 9 * kMiB);
  begin("mine", kMiB);
  SpoolRoom mine = room({.total_bytes = 10 * kMiB});
  EXPECT_FALSE(mine.claim(kMiB, kMiB));
  std::filesystem::remove(folder_ / "backlog.rec");
  clock_.advance(std::chrono::milliseconds(999));
  EXPECT_FALSE(mine.claim(kMiB, kMiB));
  clock_.advance(std::chrono::milliseconds(1));
  EXPECT_TRUE(mine.claim(kMiB, kMiB)) << "auth has acknowledged the backlog";
}

TEST_F(SpoolOfAHost, LooksOnceASecondWhereThereIsPlenty) {
  begin("mine", kMiB);
  SpoolRoom mine = room({.total_bytes = 40 * kMiB});
  EXPECT_TRUE(mine.claim(kMiB, kMiB));
  take("somebody_elses.rec", 40 * kMiB);
  EXPECT_TRUE(mine.claim(kMiB, kMiB)) << "it has not seen that";
  EXPECT_FALSE(mine.claim(kMiB, 4 * kMiB)) << "for more it looks";
  SpoolRoom other = room({.total_bytes = 40 * kMiB});
  EXPECT_FALSE(other.claim(0, 1));
}

// They begin at one moment, see no other, and take all they get in chunks, before a second is over.
TEST_F(SpoolOfAHost, IsKeptToByManyWhoBeginAtOnce) {
  constexpr uint64_t kChunk = kMiB / 4;
  constexpr uint64_t kTotal = 20 * kMiB;
  std::vector<SpoolRoom> rooms;
  for (int i = 0; i < 8; ++i) rooms.push_back(room({.total_bytes = kTotal}));
  for (SpoolRoom& each : rooms) EXPECT_TRUE(each.claim(0, kChunk));
  std::vector<uint64_t> held(rooms.size(), kChunk);
  for (size_t i = 0; i < rooms.size(); ++i) begin(std::to_string(i), kChunk);
  for (bool is_any_growing = true; is_any_growing;) {
    is_any_growing = false;
    for (size_t i = 0; i < rooms.size(); ++i) {
      if (!rooms[i].claim(held[i], kChunk)) continue;
      held[i] += kChunk;
      take(std::to_string(i) + ".rec", held[i]);
      is_any_growing = true;
    }
  }
  const uint64_t taken = std::accumulate(held.begin(), held.end(), uint64_t{0});
  EXPECT_LE(taken, kTotal);
  EXPECT_GT(taken, kTotal - rooms.size() * kChunk);
}

TEST_F(SpoolOfAHost, LeavesRoomOnTheDisk) {
  begin("mine", kMiB);
  SpoolRoom all = room({.reserve_bytes = free_on_disk() * 2});
  const Result<void> refused = all.claim(0, 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kSpoolFull);
  EXPECT_THAT(refused.error().message, HasSubstr("spool_reserve_bytes"));
  EXPECT_TRUE(room({.reserve_bytes = free_on_disk() / 2}).claim(0, 1));
}

TEST_F(SpoolOfAHost, KeepsToTheNarrowerOfBoth) {
  begin("mine", kMiB);
  SpoolRoom room(folder_, {.total_bytes = 2 * kMiB, .reserve_bytes = 1}, &clock_);
  EXPECT_THAT(room.claim(0, 4 * kMiB).error().message, HasSubstr("spool_total_bytes"));
}

TEST_F(SpoolOfAHost, SaysThatTheFolderIsGone) {
  SpoolRoom room(folder_ / "gone", {.total_bytes = kMiB}, &clock_);
  const Result<void> refused = room.claim(0, 1);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().code, Errc::kSpoolFull) << "not what a session can wait for";
}

}  // namespace
}  // namespace cairn::agent
