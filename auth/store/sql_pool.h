#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <soci/soci.h>

#include "auth/store/migrations.h"
#include "base/result.h"

namespace cairn::auth {

// Connections to one SQLite database, and the fence that turns SOCI's exceptions into errors: SOCI throws inside the
// work handed in here and nowhere else. Thread-safe; blocks until a connection is free.
class SqlPool {
 public:
  // Opens or makes the database (0600, WAL, synchronous=FULL, foreign keys) and brings its schema up to the last of
  // `steps`.
  //   fails  kUnsupported: the schema is newer than `steps`. kUnavailable: the database cannot be opened or changed.
  static Result<std::unique_ptr<SqlPool>> open(const std::filesystem::path& path, size_t connections,
                                               std::span<const Migration> steps, int64_t now_wall_s);

  // What `work(session)` returns, a Result; in a transaction that sees one state of the database. Nothing it changes
  // is kept.
  template <class F> std::invoke_result_t<F&, soci::session&> read(F work) { return run(Kind::kRead, work); }
  // The same; its changes are kept durably if it succeeds, none if it fails.
  template <class F> std::invoke_result_t<F&, soci::session&> write(F work) { return run(Kind::kWrite, work); }
  // The same; kept, but a power loss may take back the last seconds.
  template <class F> std::invoke_result_t<F&, soci::session&> write_relaxed(F work) {
    return run(Kind::kRelaxed, work);
  }

 private:
  enum class Kind { kRead, kWrite, kRelaxed };

  SqlPool(std::filesystem::path path, size_t connections) : path_(std::move(path)), connections_(connections) {}

  Result<void> connect(size_t connections);
  Result<void> migrate(std::span<const Migration> steps, int64_t now_wall_s);
  // `work` says whether its changes are to be kept.
  Result<void> fenced(Kind kind, const std::function<bool(soci::session&)>& work);

  template <class F> std::invoke_result_t<F&, soci::session&> run(Kind kind, F& work) {
    using Outcome = std::invoke_result_t<F&, soci::session&>;
    Outcome outcome = fail(Errc::kInternal, "the work was not run");
    const Result<void> ran = fenced(kind, [&](soci::session& sql) {
      outcome = work(sql);
      return outcome.has_value();
    });
    if (!ran) return Outcome(fail(ran));
    return outcome;
  }

  std::filesystem::path path_;
  soci::connection_pool connections_;
  std::mutex relaxed_mutex_;
  soci::session relaxed_;  // synchronous=NORMAL
};

}  // namespace cairn::auth
