#pragma once

#include <filesystem>
#include <memory>

#include "auth/store/store.h"
#include "base/clock.h"
#include "base/result.h"

namespace cairn::auth {

// The store in one SQLite file (with its WAL beside it), for one process. Why so:
// docs/decisions/sqlite-through-soci.md.
//   connections  how many threads may use it at once; more wait
//   fails        as SqlPool::open; the sentence names the file
Result<std::unique_ptr<Store>> open_sqlite_store(const std::filesystem::path& path, size_t connections,
                                                 const Clock& clock);

}  // namespace cairn::auth
