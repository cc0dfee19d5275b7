#include "auth/store/migrations.h"

#include <gmock/gmock.h>

#include "auth/store/sql_pool.h"
#include "auth/tests/auth_fixture.h"
#include "base/file.h"

namespace cairn::auth {
namespace {

constexpr int64_t kNow = 1000;

// A step that a later version could bring.
std::vector<Migration> with_a_later_step() {
  std::vector<Migration> steps(migrations().begin(), migrations().end());
  const int next = steps.back().version + 1;
  steps.push_back({next, "users have a mail address", {"ALTER TABLE users ADD COLUMN mail TEXT NOT NULL DEFAULT ''"}});
  return steps;
}

class Database : public testing::Test {
 protected:
  Result<std::unique_ptr<SqlPool>> open(std::span<const Migration> steps) {
    return SqlPool::open(folder_.path() / "auth.db", 2, steps, kNow);
  }
  static int version(SqlPool& sql) {
    return sql
        .read([](soci::session& session) -> Result<int> {
          int found = 0;
          session << "SELECT max(version) FROM schema_migrations", soci::into(found);
          return found;
        })
        .value();
  }
  static std::string pragma(SqlPool& sql, const char* name) {
    return sql
        .read([name](soci::session& session) -> Result<std::string> {
          std::string found;
          session << "PRAGMA " << name, soci::into(found);
          return found;
        })
        .value();
  }

  TempFolder folder_;
};

TEST_F(Database, OfAnOlderVersionIsBroughtUpAndKeepsItsRows) {
  {
    const auto old = open(migrations()).value();
    ASSERT_TRUE(old->write([](soci::session& sql) -> Result<void> {
      sql << "INSERT INTO users (name, password_hash, created_wall_s) VALUES ('alice', '', 1)";
      return {};
    }));
  }
  const std::vector<Migration> steps = with_a_later_step();
  const auto fresh = open(steps).value();
  EXPECT_EQ(version(*fresh), steps.back().version);
  EXPECT_TRUE(fresh->read([](soci::session& sql) -> Result<void> {
    std::string name;
    sql << "SELECT name FROM users WHERE mail = ''", soci::into(name);
    EXPECT_EQ(name, "alice");
    return {};
  }));
}

TEST_F(Database, OfANewerVersionIsLeftAlone) {
  const std::vector<Migration> steps = with_a_later_step();
  ASSERT_TRUE(open(steps));
  const auto old = open(migrations());
  EXPECT_EQ(code_of(old), Errc::kUnsupported);
  EXPECT_THAT(message_of(old), testing::HasSubstr("run the version that wrote it, or a newer one"));
}

TEST_F(Database, WhoseStepFailsStaysAsItWas) {
  ASSERT_TRUE(open(migrations()));
  std::vector<Migration> steps = with_a_later_step();
  steps.back().statements.push_back("NONSENSE");
  EXPECT_EQ(code_of(open(steps)), Errc::kUnavailable);
  const auto again = open(migrations());
  ASSERT_TRUE(again) << message_of(again);
  EXPECT_EQ(version(**again), migrations().back().version);
}

TEST_F(Database, KeepsWhatItConfirmed) {
  const auto sql = open(migrations()).value();
  EXPECT_EQ(pragma(*sql, "journal_mode"), "wal");
  EXPECT_EQ(pragma(*sql, "synchronous"), "2") << "FULL";
  EXPECT_EQ(pragma(*sql, "foreign_keys"), "1");
}

TEST_F(Database, ThatIsNoneIsRefusedWithItsName) {
  ASSERT_TRUE(write_file_atomically(folder_.path() / "auth.db", std::string(8192, 'x'), 0600));
  EXPECT_THAT(message_of(open(migrations())), testing::HasSubstr("auth.db"));
}

TEST_F(Database, ShippedStepsAreNumberedWithoutGaps) {
  int expected = 0;
  for (const Migration& step : migrations()) EXPECT_EQ(step.version, ++expected) << step.name;
}

}  // namespace
}  // namespace cairn::auth
