#include "agent/supervisor/data_lock.h"

#include <unistd.h>

#include <optional>

#include <gmock/gmock.h>

#include "agent/tests/supervisor/temporary_folder.h"

namespace cairn::agent {
namespace {

TEST(DataLock, NamesThePidOfWhoHoldsTheDirectory) {
  const TemporaryFolder folder;
  const Result<DataLock> first = DataLock::take(folder.path());
  ASSERT_TRUE(first) << first.error().message;
  const Result<DataLock> second = DataLock::take(folder.path());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kAlreadyExists);
  EXPECT_THAT(second.error().message, testing::HasSubstr("another cairn-agent is running"));
  EXPECT_THAT(second.error().message, testing::HasSubstr("pid " + std::to_string(::getpid())));
}

TEST(DataLock, IsFreeAfterItsOwnerEnded) {
  const TemporaryFolder folder;
  std::optional<Result<DataLock>> first = DataLock::take(folder.path());
  ASSERT_TRUE(*first);
  first.reset();
  EXPECT_TRUE(DataLock::take(folder.path()));
}

}  // namespace
}  // namespace cairn::agent
