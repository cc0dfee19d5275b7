#pragma once

#include <string>

#include <soci/soci.h>

#include "auth/store/records.h"
#include "base/result.h"

namespace cairn::auth {

// The token with this secret, whatever its state, within the caller's transaction. Throws as SOCI does.
//   fails  kNotFound
Result<v1::Token> select_token(soci::session& sql, const std::string& secret_sha256);

}  // namespace cairn::auth
