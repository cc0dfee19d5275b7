#include "auth/store/sql_pool.h"

#include <fcntl.h>
#include <unistd.h>

#include <exception>

#include <fmt/format.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include "base/unique_fd.h"

namespace cairn::auth {
namespace {

void set_up(soci::session& sql, const std::filesystem::path& path, std::string_view synchronous) {
  // SOCI splits this string at blanks; the quotes keep a path with blanks together.
  sql.open(soci::sqlite3, fmt::format("dbname=\"{}\" timeout=20", path.string()));
  std::string mode;
  sql << "PRAGMA journal_mode = WAL", soci::into(mode);
  sql << fmt::format("PRAGMA synchronous = {}", synchronous);
  sql << "PRAGMA foreign_keys = ON";
}

// Rolls back unless committed.
class Transaction {
 public:
  Transaction(soci::session& sql, const char* begin) : sql_(sql) { sql_ << begin; }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() {
    if (is_done_) return;
    try {
      sql_ << "ROLLBACK";
    } catch (const std::exception&) {
      // SQLite has rolled back by itself, as it does after an I/O error or with a full disk (lang_transaction.html).
    }
  }
  void commit() {
    sql_ << "COMMIT";
    is_done_ = true;
  }

 private:
  soci::session& sql_;
  bool is_done_ = false;
};

int applied_version(soci::session& sql) {
  sql << R"(CREATE TABLE IF NOT EXISTS schema_migrations (
              version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_wall_s BIGINT NOT NULL))";
  int version = 0;
  sql << "SELECT coalesce(max(version), 0) FROM schema_migrations", soci::into(version);
  return version;
}

void apply(soci::session& sql, const Migration& step, int64_t now_wall_s) {
  for (const char* statement : step.statements) sql << statement;
  const std::string name = step.name;
  sql << "INSERT INTO schema_migrations (version, name, applied_wall_s) VALUES (:version, :name, :applied)",
      soci::use(step.version), soci::use(name), soci::use(now_wall_s);
}

}  // namespace

Result<std::unique_ptr<SqlPool>> SqlPool::open(const std::filesystem::path& path, size_t connections,
                                               std::span<const Migration> steps, int64_t now_wall_s) {
  // SQLite would make it with the umask's mode, and gives its WAL the mode of the database.
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return fail_errno(fmt::format("open {}", path.string()));
  std::unique_ptr<SqlPool> pool(new SqlPool(path, connections));
  if (Result<void> connected = pool->connect(connections); !connected) return fail(connected);
  if (Result<void> migrated = pool->migrate(steps, now_wall_s); !migrated) return fail(migrated);
  return pool;
}

Result<void> SqlPool::connect(size_t connections) {
  try {
    for (size_t i = 0; i < connections; ++i) set_up(connections_.at(i), path_, "FULL");
    set_up(relaxed_, path_, "NORMAL");
  } catch (const std::exception& error) {
    return fail(Errc::kUnavailable, fmt::format("open database {}: {}", path_.string(), error.what()));
  }
  return {};
}

Result<void> SqlPool::migrate(std::span<const Migration> steps, int64_t now_wall_s) {
  const int known = steps.empty() ? 0 : steps.back().version;
  return write([&](soci::session& sql) -> Result<void> {
    const int applied = applied_version(sql);
    if (applied > known) {
      return fail(Errc::kUnsupported, fmt::format("database {} has schema {}, this cairn-auth knows it up to {}; run "
                                                  "the version that wrote it, or a newer one",
                                                  path_.string(), applied, known));
    }
    for (const Migration& step : steps) {
      if (step.version > applied) apply(sql, step, now_wall_s);
    }
    return {};
  });
}

Result<void> SqlPool::fenced(Kind kind, const std::function<bool(soci::session&)>& work) {
  try {
    const auto in_transaction = [&work, kind](soci::session& sql) {
      // IMMEDIATE takes the write lock at once: a reader that becomes a writer may be refused for good (SQLITE_BUSY).
      Transaction transaction(sql, kind == Kind::kRead ? "BEGIN" : "BEGIN IMMEDIATE");
      if (work(sql)) transaction.commit();
    };
    if (kind == Kind::kRelaxed) {
      const std::lock_guard lock(relaxed_mutex_);
      in_transaction(relaxed_);
    } else {
      soci::session sql(connections_);
      in_transaction(sql);
    }
  } catch (const std::exception& error) {
    return fail(Errc::kUnavailable, fmt::format("database {}: {}", path_.string(), error.what()));
  }
  return {};
}

}  // namespace cairn::auth
