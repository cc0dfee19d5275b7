#pragma once

#include <soci/soci.h>

#include "auth/store/records.h"

namespace cairn::auth {

// Adds the events to the audit log, within the caller's transaction. Throws as SOCI does.
void insert_events(soci::session& sql, const Events& events);

}  // namespace cairn::auth
