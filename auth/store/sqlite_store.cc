#include "auth/store/sqlite_store.h"

#include <utility>

#include "auth/store/sql_store.h"

namespace cairn::auth {

Result<std::unique_ptr<Store>> open_sqlite_store(const std::filesystem::path& path, size_t connections,
                                                 const Clock& clock) {
  Result<std::unique_ptr<SqlPool>> pool = SqlPool::open(path, connections, migrations(), clock.wall_s());
  if (!pool) return fail(pool);
  return std::make_unique<SqlStore>(std::move(*pool));
}

}  // namespace cairn::auth
