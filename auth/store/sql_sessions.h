#pragma once

#include <string>
#include <vector>

#include <soci/soci.h>

#include "auth/store/records.h"
#include "auth/store/sql_query.h"
#include "base/result.h"

namespace cairn::auth {

// Rows of sessions within the caller's transaction. Throw as SOCI does.

// To be given conditions, and then to select_sessions().
SqlQuery sessions_query();
Result<std::vector<SessionRecord>> select_sessions(soci::session& sql, SqlQuery query);
// Those of a query of `id` alone.
std::vector<std::string> select_ids(soci::session& sql, SqlQuery query);
//   fails  kNotFound
Result<SessionRecord> select_session(soci::session& sql, const std::string& id);

}  // namespace cairn::auth
