#include "auth/store/sqlite_store.h"

#include <utility>

#include "auth/store/sql_store.h"

namespace cairn::auth {

Result<std::unique_ptr<Store>> open_sqlite_store(const std::filesystem::path& path, size_t connections,
                                                 const Clock& clock) {
  Result<std::unique_ptr<SqlPool>> pool = SqlPool::open(path, connections, migrations(), clock.wall_s());
  if (!pool) return fail(pool);
  auto store = std::make_unique<SqlStore>(std::move(*pool));
  if (Result<void> completed = store->complete_audit_tree(); !completed) return fail(completed);
  return store;
}

}  // namespace cairn::auth
